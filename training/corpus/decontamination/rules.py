"""What counts as a duplicate and what as contaminated."""

from typing import Annotated, Literal

from pydantic import Field

from training.recipe.section import Section


class Rules(Section):
    """The thresholds, with the values that HiMed's corpora are cleaned by."""

    threshold: Annotated[float, Field(ge=0.6, le=1)] = 0.7
    """Least Jaccard similarity of the character 5-grams of near questions."""
    own: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Least share of each question's own words, those in no boilerplate, that stands in the other."""
    own_short: Annotated[float, Field(ge=0, le=1)] = 0.8
    """The same where both have fewer than eight words of their own, each of them a term that tells them apart, and for
    questions with other options."""
    gram: Annotated[int, Field(ge=4, le=64)] = 8
    """Words of a run that a benchmark's item and a row share."""
    gram_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of an item's runs in one row with which the row is contaminated."""
    gram_least: Annotated[int, Field(ge=1)] = 5
    """And least number of them; they must also hold eight of the item's own words."""
    boilerplate_share: Annotated[float, Field(ge=0, le=1)] = 0.0005
    """A run of four words in a larger share of all different questions is boilerplate."""
    boilerplate_least: Annotated[int, Field(ge=1)] = 20
    """But not one in so few questions."""
    inside: Literal["near", "exact", "keep"] = "near"
    """Which duplicates inside the corpus go; the first of them always stays."""
