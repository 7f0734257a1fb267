"""What each metric means, in one line, in the order in which reports list them."""

# What stands in large type at the head of a report, where the report has it.
HEADLINES = ("accuracy", "judge_correct", "normalised_match", "language_consistency", "unparsed", "cut_off")

# name -> (title, definition)
DEFINITIONS: dict[str, tuple[str, str]] = {
    "accuracy": (
        "Accuracy",
        "Right choices divided by multiple-choice items with a generation. A reply without a readable choice counts in"
        " the denominator and is not right; the unparsed share is given beside it.",
    ),
    "accuracy_deduplicated": (
        "Accuracy, deduplicated",
        "Accuracy with each exactly repeated item counted once.",
    ),
    "accuracy_majority": (
        "Accuracy of the majority",
        "Accuracy of the choice that most samples of an item make. Replies without a readable choice have no vote; a"
        " tie is no choice and not right.",
    ),
    "pass_at_k": (
        "pass@k",
        "Chance that at least one of k samples is right, by the unbiased estimator of Chen et al. (2021).",
    ),
    "unparsed": (
        "Unparsed",
        "Replies in which no choice, or more than one, could be read, divided by multiple-choice items with a"
        " generation.",
    ),
    "exact_match": (
        "Exact match",
        "Answers equal to the reference but for white space at the ends, divided by open items with a reference and an"
        " answer.",
    ),
    "normalised_match": (
        "Normalised match",
        "The same after Unicode NFKC, case folding and removal of punctuation and symbols.",
    ),
    "judge_correct": (
        "Judged correct",
        "The judge's true verdicts on correctness divided by its true and false ones; unparsed and absent verdicts are"
        " missing.",
    ),
    "judge_language": (
        "Judged in language",
        "The judge's true verdicts on the answer's language divided by its true and false ones; unparsed and absent"
        " verdicts are missing.",
    ),
    "language_consistency": (
        "Language consistency",
        "Answers wholly in the item's language divided by answers whose language could be determined; undetermined ones"
        " are missing.",
    ),
    "language_mixed": (
        "Language mixed",
        "Answers partly in another language divided by answers whose language could be determined.",
    ),
    "language_undetermined": (
        "Language undetermined",
        "Answers too short to tell their language, divided by all answers.",
    ),
    "langdetect_agreement": (
        "langdetect agreement",
        "Answers for which the langdetect library, seeded, names the item's language, divided by answers in languages"
        " that it knows. For comparison with other work.",
    ),
    "devanagari_share": (
        "Devanagari share",
        "Mean share of Devanagari (U+0900-097F) among the non-space characters of the answers to Hindi items.",
    ),
    "reasoning_language_consistency": (
        "Reasoning: language consistency",
        "Reasoning wholly in the item's language divided by reasoning whose language could be determined.",
    ),
    "reasoning_language_mixed": (
        "Reasoning: language mixed",
        "Reasoning partly in another language divided by reasoning whose language could be determined.",
    ),
    "reasoning_language_undetermined": (
        "Reasoning: language undetermined",
        "Reasoning too short to tell its language, divided by all completions with reasoning.",
    ),
    "well_formed": (
        "Well-formed",
        "Completions that keep the model's completion format, divided by all completions.",
    ),
    "cut_off": (
        "Cut off",
        'Completions that ended at the token limit (finish reason "length"; for imported text without one, a final'
        " sentence without an end), divided by completions for which this can be told.",
    ),
}


def title(metric: str) -> str:
    """A metric's title; a name without a definition is its own, in words."""
    return DEFINITIONS[metric][0] if metric in DEFINITIONS else metric.replace("_", " ").capitalize()


def in_order(metrics: set[str]) -> list[str]:
    """Metric names in the order of the definitions, those without one last, by name."""
    order = {name: place for place, name in enumerate(DEFINITIONS)}
    return sorted(metrics, key=lambda name: (order.get(name, len(order)), name))
