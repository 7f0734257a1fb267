"""Rules for fields of more than one route's body."""

from pydantic_core import PydanticCustomError

from app.rows import check_storable


def storable(text: str) -> str:
    """A text that the database can hold."""
    try:
        check_storable(text)
    except ValueError as error:
        raise PydanticCustomError("unstorable", "{reason}", {"reason": str(error)}) from None
    return text
