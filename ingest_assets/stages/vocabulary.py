"""Vocabulary: the words that whisper is given of a video, those of the hints first, then those that the library has.

The hint `vocabulary_from` says where further words come from. They are those of the time when the transcript is made: a name or
a correction that is added later makes no transcript stale. Metadata count them, and do not name them, because some are names of
people, who can be forgotten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from earshot.config.hints import Hints, parse_vocabulary
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database

if TYPE_CHECKING:  # imports faster-whisper
    from earshot.models.speech.prompting import Prompt

MOST_WORDS = 100  # of a place; more do not fit

_CORRECTED = """
    SELECT c.text, c.heard FROM word_corrections c JOIN videos v USING (video_id)
    WHERE v.source = %(source)s ORDER BY c.video_id <> %(video)s, c.number DESC LIMIT %(most)s
"""
_NAMES = """
    SELECT p.name FROM people p LEFT JOIN (
        SELECT person_id, count(DISTINCT video_id) AS videos FROM identities JOIN videos USING (video_id)
        WHERE source = %(source)s GROUP BY person_id
    ) heard USING (person_id)
    ORDER BY heard.videos DESC NULLS LAST, p.name LIMIT %(most)s
"""


@dataclass(frozen=True)
class Vocabulary:
    """Words by place, `vocabulary` for those of the hint, the most useful first."""

    words: Mapping[str, Sequence[str]]

    def over(self, hints: Hints) -> Hints:
        """The hints with all words as their vocabulary."""
        return replace(hints, vocabulary=parse_vocabulary([word for words in self.words.values() for word in words]))

    def describe(self, hints: Hints, used: "Prompt") -> str:
        """What whisper was given, in words; "" without hints."""
        shown = [", ".join(self._used("vocabulary", used))]
        shown += [f"{len(self._used(place, used))} from {place}" for place in self.words if place != "vocabulary"]
        if left_out := sum(map(len, self.words.values())) - len(used.words):
            shown.append(f"{left_out} did not fit")
        given = {
            "vocabulary": "; ".join(filter(None, shown)),
            "prompt": used.text,
            "languages": ", ".join(hints.languages or ()),
        }
        parts = [f"{key}: {value} (hint)" for key, value in given.items() if value]
        if used.not_followed:
            parts.append(f"prompt and vocabulary left out of {used.not_followed} of {used.windows} windows, which they spoilt")
        return "\n".join(parts)

    def _used(self, place: str, used: "Prompt") -> list[str]:
        return [word for word in self.words.get(place, ()) if word in used.words]


def read_vocabulary(database: Database, video: Video, hints: Hints) -> Vocabulary:
    """The words for this video. Each belongs to the first place that has it."""
    words = {"vocabulary": list(hints.vocabulary or ())}
    for place in hints.vocabulary_from or ():
        known = {word for others in words.values() for word in others}
        found = parse_vocabulary(_words_of(database, video, place))
        words[place] = [word for word in found if word not in known][:MOST_WORDS]
    return Vocabulary(words)


def _words_of(database: Database, video: Video, place: str) -> list[str]:
    if place == "title":
        return title_words(video.title)
    parameters = {"source": video.source, "video": video.video_id, "most": MOST_WORDS}
    if place == "people":
        return [row["name"] for row in database.query(_NAMES, parameters)]
    rows = database.query(_CORRECTED, parameters)
    return [word for row in rows for word in corrected_words(row["heard"], row["text"])]


def title_words(title: str) -> list[str]:
    """The words of the title that are likely names: those with a capital, or of a script that has none."""
    return [word for word in map(_bare, title.split()) if len(word) > 1 and _may_be_a_name(word)]


def _may_be_a_name(word: str) -> bool:
    has_no_case = word.lower() == word.upper() and not word.isascii()
    return has_no_case or word != word.lower()


def corrected_words(heard: str, text: str) -> list[str]:
    """The words that a correction brought in."""
    before = {_bare(word) for word in heard.split()}
    return [word for word in map(_bare, text.split()) if len(word) > 1 and word not in before]


def _bare(word: str) -> str:
    """The word without punctuation around it."""
    return word.strip("".join(filter(lambda character: not character.isalnum(), word)))
