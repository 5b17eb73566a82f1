"""Hits: the passages that answer a question, as search returns them. Loads nothing."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Duplicate:
    """The same passage in another video."""

    video_id: str
    title: str
    start_s: float
    end_s: float
    link: str


@dataclass(frozen=True)
class Captions:
    """Whose captions a passage is: of the `site`, the `feed` or a `file`; `automatic`: made by a machine."""

    origin: str
    automatic: bool

    @property
    def label(self) -> str:
        """In words: `automatic captions of the site`."""
        kind = "automatic captions" if self.automatic else "captions"
        return f"{kind} {'in a file' if self.origin == 'file' else f'of the {self.origin}'}"


@dataclass(frozen=True)
class Hit:
    """A passage that answers the question: its rank (`place`, from 1), where it is, its speakers and its scores.

    `meaning` is the cosine similarity to the question, -1 to 1, None in a search by words alone; `words` is the share of the
    question's words that it contains, weighted by rarity, 0 to 1; `score` combines both rankings and is comparable only within
    one search. `captions`: the video has no transcript yet, and the passage, without speakers, is of these captions. `before`
    and `after` are the neighbouring passages. `marks` are the parts of `text` that are words of the
    question: start and end, in characters.
    """

    place: int
    video_id: str
    title: str
    source: str
    published_at: datetime | None
    language: str
    start_s: float
    end_s: float
    speakers: tuple[str, ...]
    text: str
    before: str | None
    after: str | None
    meaning: float | None
    words: float
    score: float
    link: str
    copies: tuple[Duplicate, ...] = ()
    marks: tuple[tuple[int, int], ...] = ()
    captions: Captions | None = None
