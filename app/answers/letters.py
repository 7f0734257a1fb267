"""The names of option letters: how A, B, C are called in other scripts, and the letters that number lists there."""

from collections.abc import Sequence

# How the names of A, B, C, … are written.
_NAMES: tuple[Sequence[str], ...] = (
    "ए बी सी डी ई एफ जी एच आई जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू एक्स वाई ज़ेड".split(),
    "এ বি সি ডি ই এফ জি এইচ আই জে".split(),
    "ኤ ቢ ሲ ዲ ኢ ኤፍ ጂ ኤች አይ ጄ".split(),
    "エー ビー シー ディー イー エフ ジー エイチ アイ ジェー".split(),
    "เอ บี ซี ดี อี เอฟ จี เอช ไอ เจ".split(),
)
# Letters that number a list: the first means the first option, whatever its Latin letter.
_NUMBERING: tuple[Sequence[str], ...] = (
    "कखगघङचछजझञ",
    "अबसद",
    "কখগঘঙচছজঝঞ",
    "ሀለሐመሠረሰሸቀበ",
    "アイウエオカキクケコ",
    "กขคงจฉชซ",
    "가나다라마바사아자차",
    "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊ",
)
# Too common as words (of, drank, came, honorific, even, this, …) to be letters without brackets or a label before them.
LETTER_NAMES = {name: chr(65 + i) for names in _NAMES for i, name in enumerate(names)}
NUMBERING = {letter: i for letters in _NUMBERING for i, letter in enumerate(letters)}
