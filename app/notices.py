"""What every medical answer carries: it is no medical advice, a physician should be asked; in each language.

Written with care, but not by native speakers: their review is still to come.
"""

from collections.abc import Mapping
from typing import Final

from app.languages import get_language

NOTICES: Final[Mapping[str, str]] = {
    "am": "ይህ የሕክምና ምክር አይደለም፤ እባክዎ ሐኪም ያማክሩ።",
    "bn": "এটি চিকিৎসা পরামর্শ নয়। অনুগ্রহ করে একজন চিকিৎসকের পরামর্শ নিন।",
    "en": "This is not medical advice. Please ask a doctor.",
    "es": "Esto no es un consejo médico. Consulte a un médico.",
    "fr": "Ceci n'est pas un avis médical. Veuillez consulter un médecin.",
    "ha": "Wannan ba shawarar likita ba ce. Don Allah a tuntuɓi likita.",
    "hi": "यह चिकित्सकीय सलाह नहीं है। कृपया डॉक्टर से परामर्श करें।",
    "ja": "これは医学的な助言ではありません。必ず医師に相談してください。",
    "ko": "이 답변은 의학적 조언이 아닙니다. 반드시 의사와 상담하십시오.",
    "sw": "Huu si ushauri wa kitabibu. Tafadhali muulize daktari.",
    "th": "ข้อมูลนี้ไม่ใช่คำแนะนำทางการแพทย์ โปรดปรึกษาแพทย์",
    "tr": "Bu, tıbbi tavsiye değildir. Lütfen bir doktora danışın.",
    "vi": "Đây không phải là lời khuyên y khoa. Vui lòng hỏi ý kiến bác sĩ.",
    "yo": "Èyí kì í ṣe ìmọ̀ràn ìṣègùn. Ẹ jọ̀wọ́, ẹ lọ rí dókítà.",
}


def notice(language: str) -> str:
    """The notice in a language, given by code or name.

    Raises:
        InputError: the language is none of the fourteen.
    """
    return NOTICES[get_language(language).code]
