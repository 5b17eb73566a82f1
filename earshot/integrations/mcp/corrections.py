"""Tools that correct who speaks and which words are said, and undo that. A server has them only if it is asked to.

Corrections are signed `mcp`. Each has a number, which undoes it.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from earshot.integrations.mcp.arguments import Arguments, Text, Video, Words
from earshot.integrations.mcp.context import Context
from earshot.library.people.corrections import Corrections

SIGNATURE = "mcp"


class NameSpeaker(Arguments):
    """The arguments of `name_speaker`."""

    what: Annotated[
        Text,
        Field(
            description="`voice 7`: wherever this voice speaks; `VIDEO@SPEAKER_01`: a speaker of one video; "
            "`VIDEO@0:12:30`: only the turn at that time."
        ),
    ]
    person: Annotated[Text, Field(description="Who it is. A new name adds a person.")]


class CorrectWords(Arguments):
    """The arguments of `correct_words`."""

    video: Video
    old: Annotated[Text, Field(description="The words as the transcript has them.")]
    new: Annotated[Words, Field(description="The words that were said; empty if none were.")]
    at: Annotated[
        Text | None, Field(description="The first such words in the 30 seconds from this time on: h:mm:ss, or seconds.")
    ] = None


class UndoCorrection(Arguments):
    """The arguments of `undo_correction`."""

    number: Annotated[int, Field(ge=1, lt=2**63)]
    kind: Annotated[Literal["speaker", "words"], Field(description="What was corrected: each kind has its own numbers.")]


@dataclass(frozen=True)
class ChangeMade:
    """What was changed, with the number that undoes it; None if nothing does. `renamed` says who has another name now."""

    message: str
    number: int | None
    renamed: tuple[str, ...] = ()


def name_speaker(context: Context, asked: NameSpeaker) -> ChangeMade:
    """Say who speaks: name an anonymous voice, or correct a speaker. Only on what the user says, never on a guess."""
    change = Corrections(context.library.database, SIGNATURE).assign(asked.what, asked.person)
    return ChangeMade(change.message, change.number, change.renamed)


def correct_words(context: Context, asked: CorrectWords) -> ChangeMade:
    """Correct misheard words of a transcript. Only on what the user says, never on a guess."""
    video_id = context.library.video(asked.video).video_id
    where = video_id if asked.at is None else f"{video_id}@{asked.at}"
    change = context.library.word_corrections.replace(where, asked.old, asked.new)
    return ChangeMade(change.message, change.number)


def undo_correction(context: Context, asked: UndoCorrection) -> ChangeMade:
    """Undo a correction by its number."""
    if asked.kind == "words":
        change = context.library.word_corrections.undo(asked.number)
        return ChangeMade(change.message, None)
    undone = Corrections(context.library.database, SIGNATURE).undo(asked.number)
    return ChangeMade(undone.message, None, undone.renamed)
