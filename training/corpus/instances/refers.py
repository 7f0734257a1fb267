"""Words that send a reader to a passage that they do not have, in all the languages."""

import re
import unicodedata
from functools import cache
from typing import Final

# English nouns stand beside "the", "this", "given"; Hindi ones are whole words, since Indian medicine has पाठा (a herb)
# and लेखन (a treatment), and "इस संदर्भ में" means no more than "in this regard". Medicine also knows extracts of plants
# and fingerprints (지문), and 日本文化 and 一段落 hold 本文 and 段落.
_NOUN = r"(?:text|passage|excerpt|paragraph|article|document|extract|leaflet|web ?page)"
_HINDI_NOUN = r"(?:पाठ|लेख|आलेख|अंश|टेक्स्ट|पाठ्य सामग्री|उद्धरण)"
_GIVEN = r"(?:दिए|दिये|दी|दिया|बताए|बताये|बताई|बताया|लिखे|लिखी|लिखा|कहा|वर्णित|उल्लिखित|उल्लेखित)"

# Whole words where a script has them, without regard to case; a blank stands for any white space.
PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        r"(?:this|the|above|given|provided|following|preceding) (?:passage|excerpt|paragraph)"
        r"(?! (?:of|through|into|to|way)\b)",
        r"(?:above|given|provided|following|preceding) extract(?! of\b)",
        rf"(?:according to|as (?:stated|mentioned|described|given|noted) in|based on|from|per|(?:stated|mentioned|"
        rf"described|given) in) (?:this|the) (?:above |given |provided |source )?{_NOUN}",
        r"according to the (?:author|source|context|information (?:given|provided))",
        rf"(?:the|this) {_NOUN} (?:says|states|mentions|describes|explains|notes|tells|lists|does not)",
        r"(?:given|provided|above) (?:text|context|article|document)",
    ),
    "hi": (
        r"गद्यांश|अवतरण|परिच्छेद|पाठ्यांश|पैसेज|पैराग्राफ|अनुच्छेद",
        rf"ऊपर {_GIVEN}",
        rf"(?:उपरोक्त|उपर्युक्त|उक्त|प्रस्तुत|प्रदत्त|इस|(?:दिए|दिये) (?:गए|गये)) {_HINDI_NOUN}",
        r"(?:उपरोक्त|उपर्युक्त|प्रस्तुत|प्रदत्त|(?:दिए|दिये|दी) (?:गए|गये|गई|गयी)) (?:विवरण|जानकारी|सामग्री|संदर्भ|सन्दर्भ) "
        r"(?:के अनुसार|के आधार पर|में)",
        rf"{_HINDI_NOUN} (?:के अनुसार|के मुताबिक|के आधार पर|में {_GIVEN})",
        r"(?:संदर्भ|सन्दर्भ|पुस्तक|ग्रंथ|लेखक) के (?:अनुसार|मुताबिक)",
    ),
    "bn": (
        r"(?:অনুচ্ছেদ|উদ্দীপক|পাঠ্যাংশ)\w*",
        r"(?:উপরের|উপরোক্ত|প্রদত্ত|এই) (?:লেখা|পাঠ্য|নিবন্ধ|প্রবন্ধ)\w*",
        r"(?:লেখা|পাঠ্য|নিবন্ধ|প্রবন্ধ)\w* (?:অনুযায়ী|অনুসারে|মতে)",
    ),
    "fr": (
        r"(?:selon|d['’]après|dans) (?:le|ce|l['’]|cet) ?(?:texte|passage|extrait|article|document|paragraphe|"
        r"dépliant)",
        r"(?:texte|passage|extrait|document|paragraphe) (?:ci-dessus|ci-dessous|fourni|donné|précédent)",
    ),
    "es": (
        r"(?:según|de acuerdo con|en|basándose en) (?:el|este) (?:texto|pasaje|fragmento|artículo|documento|párrafo|"
        r"folleto|extracto)",
        r"(?:texto|pasaje|fragmento|párrafo) (?:anterior|dado|proporcionado|de arriba)",
    ),
    "tr": (
        r"(?:metne|parçaya|paragrafa|pasaja|makaleye|belgeye) göre",
        r"(?:yukarıdaki|yukarıda verilen|verilen|bu) (?:metin|metn|paragraf|pasaj|makale)\w*",
    ),
    "vi": (
        r"(?:theo|trong|dựa (?:vào|trên)) (?:đoạn (?:văn|trích)|bài (?:viết|báo)|văn bản|tài liệu)",
        r"(?:đoạn văn|đoạn trích|văn bản|bài viết) (?:trên|này|đã cho)",
    ),
    "sw": (
        r"(?:kulingana na|kwa mujibu wa|katika) (?:kifungu|maandishi|makala|matini|andiko|aya)\w*",
        r"(?:kifungu|maandishi|makala|aya) (?:hiki|haya|hii|kilichotolewa|yaliyotolewa|iliyotolewa|hapo juu)",
    ),
    "ha": (r"(?:bisa ga|a cikin|daga) (?:wannan )?(?:rubutun?|nassin?|sakin layin?|bayanin da ke sama)",),
    "yo": (
        r"àyọkà|ayoka",
        r"(?:gẹ́gẹ́ bí|nínú|láti inú) (?:ọ̀rọ̀|àkọsílẹ̀|ìwé) (?:yìí|tí a fún|tó wà lókè|òkè)",
    ),
    "am": (
        r"[በከየ]?ምንባቡ?\w*",
        r"[በከየ]?(?:ጽሑፉ|ጽሁፉ)\w*|በአንቀጹ\w*",
        r"ከላይ (?:በ|የ)(?:ተጠቀሰው|ተሰጠው|ቀረበው) (?:ጽሑፍ|ጽሁፍ|መረጃ|አንቀጽ)",
    ),
    "th": (
        r"(?:ตาม|จาก|ใน)(?:ข้อความ|บทความ|เนื้อหา|เอกสาร|ย่อหน้า)",
        r"(?:ข้อความ|บทความ|เนื้อหา|ย่อหน้า)(?:ข้างต้น|ด้านบน|ที่ให้มา|นี้|ที่กำหนด)",
    ),
    "ko": (
        r"지문에 (?:따르|의하|나오|나온|언급|제시)|지문의 내용",
        r"본문(?:에|의|을|은|이) |윗글|제시문|위 글|위의 글|이 글(?:에|의)",
        r"(?:위|주어진|제시된|다음) (?:텍스트|문단|단락|문서|기사)",
    ),
    "ja": (
        r"(?<!日)本文|抜粋|(?<!一)段落",
        r"(?:上記|この|上|前述|与えられた|次)の?(?:文章|文書|記事|テキスト|資料)",
        r"(?:文章|記事|テキスト|資料)(?:によ[るれ]|に基づ|で述べ|に書かれ)",
    ),
}
_ENGLISH_WORD = re.compile("[A-Za-z]{4}")
_UNSPACED: Final = ("th", "ko", "ja")
# \w and \b know no vowel signs.
_LETTERS = r"\w\u0300-\u036f\u0900-\u0963\u0971-\u097f\u0981-\u09e3\u1200-\u135f"


def reference_to_passage(text: str, language: str) -> str | None:
    """The words of a text in a language (ISO 639-1) that refer to the passage behind it; None where there are none.

    English phrases are looked for in every language.
    """
    text = unicodedata.normalize("NFC", text)
    for code in dict.fromkeys(("en", language)):
        if code == "en" and not _ENGLISH_WORD.search(text):
            continue
        if found := _pattern(code).search(text):
            return found[0]
    return None


@cache
def _pattern(language: str) -> re.Pattern[str]:
    phrases = unicodedata.normalize("NFC", "|".join(f"(?:{phrase})" for phrase in PHRASES[language]))
    phrases = phrases.replace(r"\w*", f"[{_LETTERS}]*").replace(" ", r"\s+").replace(r"\s+?", r"\s*")
    if language in _UNSPACED:
        return re.compile(phrases, re.IGNORECASE)
    return re.compile(rf"(?<![{_LETTERS}])(?:{phrases})(?![{_LETTERS}])", re.IGNORECASE)
