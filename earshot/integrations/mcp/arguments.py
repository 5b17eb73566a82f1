"""What the arguments of the tools have in common: their bounds, cursors, and the message about those that are wrong."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from earshot.common.errors import EarshotError
from earshot.common.text import one_line

SHOWN = 60  # characters of a wrong value that a message shows

# Postgres takes no NUL character.
Words = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Text = Annotated[Words, Field(min_length=1)]
Cursor = Annotated[Text | None, Field(description="`next` of the answer before, to go on from there.")]
Limit = Annotated[int, Field(ge=1, le=50)]
Video = Annotated[Text, Field(description="A video's key (video_id) or its whole title.")]
Speaker = Annotated[Text, Field(description="A person's name, or an anonymous voice: `voice 7`.")]


class Arguments(BaseModel):
    """The arguments of a tool. Refuses those that it does not have."""

    model_config = ConfigDict(extra="forbid")


def mistakes(error: ValidationError) -> str:
    """What is wrong with the arguments, on one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in mistake['loc']) or 'arguments'}: {one_line(mistake['msg'])} "
        f"(given: {one_line(repr(mistake['input']))[:SHOWN]})"
        for mistake in error.errors(include_url=False)
    )


def read_count(cursor: str | None) -> int:
    """How many items the answers before had; 0 without a cursor. Raises EarshotError for a cursor of another tool."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 9:
        raise wrong_cursor(cursor)
    return int(cursor)


def wrong_cursor(cursor: str) -> EarshotError:
    """The error about a text that is no cursor of this tool."""
    return EarshotError(f"{cursor!r} is no place in the answer.", "Give `next` of the answer before.")
