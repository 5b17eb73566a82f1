"""Tools that find passages: by a question, and by who said them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from earshot import Hit
from earshot.common.times import format_hms
from earshot.integrations.mcp.arguments import Arguments, Cursor, Limit, Speaker, Text, Video, read_count, wrong_cursor
from earshot.integrations.mcp.context import Context
from earshot.library.reading.question import Question

BEST = 200  # passages that a search ranks
CONSIDERED = 60  # of them, for who said something
QUOTED = 3  # passages of each speaker


class Filtered(Arguments):
    """The filters of a search."""

    source: Annotated[Text | None, Field(description="Only in this source: its name or address.")] = None
    video: Video | None = None
    language: Annotated[Text | None, Field(description="Only in this language: a code such as `en`.")] = None
    since: Annotated[date | None, Field(description="Only published on this day (UTC) or later.")] = None
    until: Annotated[date | None, Field(description="Only published on this day (UTC) or earlier.")] = None
    words: Annotated[bool, Field(description="Search by words alone, not by meaning.")] = False

    def narrow(self, text: str, limit: int, page: int = 1, speaker: str | None = None) -> Question:
        """This question with these filters."""
        return Question(
            text, limit, page, speaker, self.source or (), self.video or (), self.language or (), self.since, self.until
        )


class Search(Filtered):
    """The arguments of `search`."""

    question: Annotated[Text, Field(description='What to find. `"In quotation marks"` must occur, `-word` must not.')]
    speaker: Speaker | None = None
    limit: Annotated[Limit, Field(description="Passages in an answer; a cursor keeps the first one's.")] = 10
    cursor: Cursor = None
    context: Annotated[bool, Field(description="Also return the passages before and after.")] = False


class WhoSaid(Filtered):
    """The arguments of `who_said`."""

    about: Annotated[Text, Field(description="A subject, as a question or in words.")]
    limit: Annotated[Limit, Field(description="Speakers in an answer.")] = 10
    cursor: Cursor = None


@dataclass(frozen=True)
class Passage:
    """Up to 20 seconds of one speaker. `time` is `start_s` as h:mm:ss; `link` and `page` open it at that second. `meaning`
    is how near it is to the question, as a cosine: -1 to 1, null in a search by words alone. `captions`: the video has no
    transcript yet, and the text is not what Earshot heard, but of these captions; null otherwise."""

    speakers: tuple[str, ...]
    text: str
    time: str
    start_s: float
    end_s: float
    title: str
    video_id: str
    source: str
    published: datetime | None
    meaning: float | None
    link: str
    page: str | None
    captions: str | None = None
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class Passages:
    """The best passages first. `note` says why there are none, or what was not searched; `next` is None at the end."""

    passages: tuple[Passage, ...]
    note: str
    next: str | None


@dataclass(frozen=True)
class Said:
    """What one speaker said about a subject: how many of the best passages are theirs, and the first of those."""

    speaker: str
    passages: int
    best: tuple[Passage, ...]


@dataclass(frozen=True)
class SaidBy:
    """Speakers, the one with the best passage first. `next` is None at the end."""

    speakers: tuple[Said, ...]
    note: str
    next: str | None


def search(context: Context, asked: Search) -> Passages:
    """Find passages by meaning and by words, the best first, with who says them, when, and links to that second.

    At most the 200 best passages can be read. To read around one, call `transcript` with its video_id and start_s.
    """
    page, limit = _read_place(asked)
    found = context.answer(asked.narrow(asked.question, limit, page, asked.speaker), asked.words)
    more = len(found.hits) == limit and (page + 1) * limit <= BEST
    passages = tuple(passage(context, hit) for hit in found.hits)
    return Passages(
        passages if asked.context else tuple(replace(each, before=None, after=None) for each in passages),
        " ".join(filter(None, [found.note, _absent(found.notable_absences)])),
        f"{page + 1}x{limit}" if more else None,
    )


def who_said(context: Context, asked: WhoSaid) -> SaidBy:
    """Who said what about a subject: the speakers of the 60 best passages, each with their best three.

    To read more of one speaker, call `search` with `speaker`.
    """
    first = read_count(asked.cursor)
    found = context.answer(asked.narrow(asked.about, CONSIDERED), asked.words)
    speakers = list(dict.fromkeys(speaker for hit in found.hits for speaker in hit.speakers))
    shown = tuple(_said(context, speaker, found.hits) for speaker in speakers[first : first + asked.limit])
    end = first + asked.limit
    return SaidBy(shown, found.note, str(end) if end < len(speakers) else None)


def passage(context: Context, hit: Hit) -> Passage:
    """The hit as the tools return it."""
    return Passage(
        speakers=hit.speakers,
        text=hit.text,
        time=format_hms(hit.start_s),
        start_s=hit.start_s,
        end_s=hit.end_s,
        title=hit.title,
        video_id=hit.video_id,
        source=context.source_name(hit.source),
        published=hit.published_at,
        meaning=None if hit.meaning is None else round(hit.meaning, 2),
        link=hit.link,
        page=context.page_at(hit.video_id, hit.start_s),
        captions=hit.captions.label if hit.captions else None,
        before=hit.before,
        after=hit.after,
    )


def _said(context: Context, speaker: str, hits: Iterable[Hit]) -> Said:
    theirs = [hit for hit in hits if speaker in hit.speakers]
    best = (replace(passage(context, hit), before=None, after=None) for hit in theirs[:QUOTED])
    return Said(speaker, len(theirs), tuple(best))


def _read_place(asked: Search) -> tuple[int, int]:
    """The page and its size, by the cursor if there is one."""
    if asked.cursor is None:
        return 1, asked.limit
    page, limit = (int(part) if part.isdecimal() and len(part) <= 3 else 0 for part in (*asked.cursor.split("x"), "")[:2])
    if not page or not limit:
        raise wrong_cursor(asked.cursor)
    return page, limit


def _absent(words: Iterable[str]) -> str:
    listed = ", ".join(map(repr, words))
    return f"No transcript has: {listed}." if listed else ""
