"""The tool that reads a transcript: a part of it at a time, from the beginning or around a moment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Annotated

from pydantic import Field

from earshot.common.errors import EarshotError
from earshot.common.excerpt import parse_time
from earshot.common.times import format_hms, link_at
from earshot.integrations.mcp.arguments import Arguments, Cursor, Speaker, Text, Video, read_count
from earshot.integrations.mcp.context import Context
from earshot.library.reading.reader import Paragraph, ReadableTranscript, Word

MOST_CHARACTERS = 12_000  # of words in an answer: some 15 minutes of speech
WITHIN_S = 60.0


class ReadTranscript(Arguments):
    """The arguments of `transcript`."""

    video: Video
    at: Annotated[float | Text | None, Field(description="Only around this moment: seconds, or h:mm:ss.")] = None
    within_s: Annotated[float, Field(gt=0, le=3600, description="Seconds before and after `at`.")] = WITHIN_S
    speaker: Speaker | None = None
    cursor: Cursor = None


@dataclass(frozen=True)
class SpokenPart:
    """What one speaker says in a row. `time` is `start_s` as h:mm:ss; `link` and `page` open it at that second."""

    speaker: str
    time: str
    start_s: float
    end_s: float
    text: str
    link: str
    page: str | None


@dataclass(frozen=True)
class TranscriptPart:
    """A part of a transcript, in order of time. `next` is None at the end."""

    video_id: str
    title: str
    language: str | None
    spoken: tuple[SpokenPart, ...]
    next: str | None


@dataclass(frozen=True)
class _Piece:
    """Words of a paragraph, the first of which has this number among all that are asked for."""

    paragraph: Paragraph
    number: int
    words: tuple[Word, ...]


def transcript(context: Context, asked: ReadTranscript) -> TranscriptPart:
    """Read the transcript of a video with its speakers and times: whole, around a moment, or what one speaker says.

    A long one comes in parts.
    """
    read = context.library.readable_transcript(asked.video)
    pieces = list(_after(_chosen(read, asked), read_count(asked.cursor)))
    shown = list(_first(pieces))
    words = sum(len(piece.words) for piece in shown)
    more = words < sum(len(piece.words) for piece in pieces)
    spoken = tuple(_spoken(context, read, piece) for piece in shown)
    return TranscriptPart(
        read.video.video_id, read.video.title, read.language, spoken, str(shown[0].number + words) if more else None
    )


def _chosen(read: ReadableTranscript, asked: ReadTranscript) -> Iterator[_Piece]:
    """The words that are asked for, by paragraphs."""
    first_s, last_s = _span(asked)
    number = 0
    for paragraph in _of_speaker(read, asked.speaker):
        words = tuple(word for word in paragraph.words if word[1] >= first_s and word[0] <= last_s)
        yield _Piece(paragraph, number, words)
        number += len(words)


def _of_speaker(read: ReadableTranscript, speaker: str | None) -> Sequence[Paragraph]:
    if speaker is None:
        return read.paragraphs
    named = [each for each in read.paragraphs if each.speaker.casefold() == speaker.strip().casefold()]
    if not named:
        speakers = dict.fromkeys(each.speaker for each in read.paragraphs)
        remedy = f"Speakers: {', '.join(speakers) or 'none'}."
        raise EarshotError(f"{speaker!r} does not speak in {read.video.video_id}.", remedy)
    return named


def _span(asked: ReadTranscript) -> tuple[float, float]:
    """The seconds that are asked for."""
    if asked.at is None:
        return -inf, inf
    try:
        at_s = parse_time(asked.at if isinstance(asked.at, str) else f"{asked.at:.3f}")
    except ValueError:
        raise EarshotError(f"{asked.at!r} is not a time.", "Give seconds, or h:mm:ss.") from None
    return at_s - asked.within_s, at_s + asked.within_s


def _after(pieces: Iterator[_Piece], read: int) -> Iterator[_Piece]:
    """The pieces without the words that the answers before had."""
    for piece in pieces:
        left_out = max(0, read - piece.number)
        if left_out < len(piece.words):
            yield _Piece(piece.paragraph, piece.number + left_out, piece.words[left_out:])


def _first(pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    """As many pieces as one answer has; the last one may be cut."""
    left = MOST_CHARACTERS
    for piece in pieces:
        fitting = 0
        for word in piece.words:
            if len(word[2]) > left and (fitting or left < MOST_CHARACTERS):
                break
            left -= len(word[2])
            fitting += 1
        if fitting:
            yield _Piece(piece.paragraph, piece.number, piece.words[:fitting])
        if fitting < len(piece.words):
            return


def _spoken(context: Context, read: ReadableTranscript, piece: _Piece) -> SpokenPart:
    start_s, end_s = piece.words[0][0], max(word[1] for word in piece.words)
    return SpokenPart(
        piece.paragraph.speaker,
        format_hms(start_s),
        start_s,
        end_s,
        "".join(word[2] for word in piece.words).strip(),
        link_at(read.video.url, start_s),
        context.page_at(read.video.video_id, start_s),
    )
