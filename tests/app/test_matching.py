from app.matching import normalise_answer


def test_normalising_folds_width_case_punctuation_and_white_space() -> None:
    assert normalise_answer("Ｄ　Vitamin-C!") == "d vitamin c"


def test_normalising_keeps_vowel_signs_and_tones() -> None:
    assert normalise_answer("कि") != normalise_answer("की")
    assert normalise_answer("ọ̀") != normalise_answer("o")
