"""Recordings: what the library holds of one video, as exports read it.

`read_recording()` reads one video in one snapshot of the database: deleted or corrected meanwhile, it comes as it was before or
as it is after. A stage writes all its rows at once, but stages follow each other: a video that is being ingested again, or
whose ingest broke off, has for a while new words beside passages of the old ones. Such a mixture is refused.

`read_recordings()` reads many, one in memory at a time; `spoken_by()` is what one person says in one. What a recording becomes
is earshot/transcripts/formats/exports.py.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from earshot.common.errors import InconsistentVideo, NotTranscribed
from earshot.storage.catalog.stages import UPSTREAM
from earshot.storage.catalog.videos import Video, get_video
from earshot.storage.database import Database
from earshot.transcripts.speaker_names import Names, Speaker, SpeakerRef, speaker_names
from earshot.transcripts.word_speakers import attribute_words

PASSAGES = "text_embeddings"  # the stage that makes them

# The model of a video's passages, where they are made from what the stages above have now.
_PASSAGES_OF = """
    SELECT model, model_revision FROM stage_outputs o WHERE video_id = %(video)s AND asset = %(passages)s AND NOT EXISTS (
        SELECT FROM unnest(%(above)s::text[]) AS above
        LEFT JOIN stage_outputs u ON u.video_id = o.video_id AND u.asset = above
        WHERE u.content IS NULL OR u.content IS DISTINCT FROM o.made_from ->> above)
"""


@dataclass(frozen=True)
class Recording:
    """What the database holds of one video, each frame in order of time, and who its speakers are.

    words: start_s, end_s, text, probability. turns and exclusive_turns: start_s, end_s, local_speaker; turns also overlap.
    passages: start_s, end_s, local_speaker, first_word, last_word (inclusive), text. Seconds of the recording.
    """

    video: Video
    language: str | None
    words: pd.DataFrame
    turns: pd.DataFrame
    exclusive_turns: pd.DataFrame
    passages: pd.DataFrame
    names: Names
    spoken: tuple[str | None, ...] | None = None  # of a part: `word_speakers()`, which depend on words that are left out

    def word_speakers(self) -> list[str | None]:
        """The local speaker of each word, None where nobody was heard."""
        if self.spoken is not None:
            return list(self.spoken)
        return attribute_words(self.words, self.exclusive_turns, self.turns)


@dataclass
class ExportCounts:
    """How many videos were read, had no transcript (or were deleted meanwhile), and were refused as a mixture."""

    read: int = 0
    untranscribed: int = 0
    refused: int = 0

    @property
    def looked_at(self) -> int:
        return self.read + self.untranscribed + self.refused


def read_recording(database: Database, video_id: str) -> Recording:
    """The video as it is at one moment. Raises NotTranscribed, and InconsistentVideo for a mixture."""
    with database.snapshot() as at_once:
        video, language = find_transcribed(at_once, video_id)
        words = at_once.frame("words", video_id, "word_index")
        return Recording(
            video=video,
            language=language,
            words=words,
            turns=at_once.frame("turns", video_id, "turn_index"),
            exclusive_turns=at_once.frame("exclusive_turns", video_id, "turn_index"),
            passages=_passages(at_once, video, len(words)),
            names=speaker_names(at_once, video_id),
        )


def read_recordings(
    database: Database, keys: Iterable[str], tally: ExportCounts, refused: Callable[[str], None]
) -> Iterator[Recording]:
    """The recordings of these videos, counted in `tally`; `refused` is told which is a mixture, and what to do."""
    for key in keys:
        try:
            recording = read_recording(database, key)
        except NotTranscribed:
            tally.untranscribed += 1
        except InconsistentVideo as error:
            tally.refused += 1
            refused(str(error))
        else:
            tally.read += 1
            yield recording


def spoken_by(recording: Recording, who: SpeakerRef) -> Recording:
    """What this person or voice says: these words and turns, and of passages the part that consists of such words.

    A back-channel of somebody else is left out, also where it stands in a sentence of this speaker's.
    """
    labels, names = recording.word_speakers(), recording.names
    said = np.array([_is(speaker, who) for speaker in names.of_spans(recording.words, labels)], dtype=bool)
    turns, exclusive = (
        part[[_is(speaker, who) for speaker in names.of_spans(part, part.local_speaker.tolist())]].reset_index(drop=True)
        for part in (recording.turns, recording.exclusive_turns)
    )
    return replace(
        recording,
        words=recording.words[said].reset_index(drop=True),
        turns=turns,
        exclusive_turns=exclusive,
        passages=_passages_of(recording, said, labels),
        spoken=tuple(label for label, own in zip(labels, said, strict=True) if own),
    )


def _is(speaker: Speaker, who: SpeakerRef) -> bool:
    return speaker.person == who.name if who.voice_id is None else speaker.voice == who.voice_id


def _passages_of(recording: Recording, said: np.ndarray, labels: Sequence[str | None]) -> pd.DataFrame:
    """The passages, each of its words that are said by one speaker; `first_word` and `last_word` count those words alone."""
    rows, place = [], np.cumsum(said) - 1
    for row in recording.passages.to_dict("records"):
        own = [index for index in range(row["first_word"], row["last_word"] + 1) if said[index]]
        if own:
            words = recording.words.iloc[own]
            times = {"start_s": words.start_s.iloc[0], "end_s": words.end_s.max(), "text": "".join(words.text).strip()}
            left = times if len(own) <= row["last_word"] - row["first_word"] else {}
            counted = {"first_word": int(place[own[0]]), "last_word": int(place[own[-1]]), "local_speaker": labels[own[0]]}
            rows.append({**row, **left, **counted})
    return pd.DataFrame(rows, columns=recording.passages.columns, dtype=object)


def keys_with(database: Database, who: SpeakerRef, source: str | None = None) -> list[str]:
    """The videos, or those of one source, in which somebody is known to speak, in the order of their keys."""
    rows = database.query(
        """
        SELECT video_id FROM videos WHERE (%(source)s::text IS NULL OR source = %(source)s) AND video_id IN (
            SELECT video_id FROM current_identities WHERE person_id = %(person)s OR voice_id = %(voice)s
            UNION SELECT video_id FROM segment_overrides WHERE person_id = %(person)s)
        ORDER BY video_id
        """,
        {"source": source, "person": who.person_id, "voice": who.voice_id},
    )
    return [row["video_id"] for row in rows]


def find_transcribed(database: Database, video_id: str) -> tuple[Video, str | None]:
    """The video and the language it is in; raises NotTranscribed where there is no such video, or no transcript of it."""
    video = get_video(database, video_id)
    if video is None:
        raise NotTranscribed(f"There is no video {video_id!r}.", "`earshot videos` lists them.")
    rows = database.query("SELECT language FROM transcripts WHERE video_id = %s", [video_id])
    if not rows:
        why = f": {video.last_error}" if video.last_error else ""
        raise NotTranscribed(
            f"{video_id} has no transcript (state {video.state}{why}).", f"Ingest it: earshot ingest {video.url!r}"
        )
    return video, rows[0]["language"]


def _passages(database: Database, video: Video, words: int) -> pd.DataFrame:
    """The passages that were made last, of whichever text model, without their vectors, which are most of what is kept of them.

    Raises InconsistentVideo where they are not made from the words and turns that are there, or not of so many words.
    """
    runs = database.query(_PASSAGES_OF, {"video": video.video_id, "passages": PASSAGES, "above": sorted(UPSTREAM[PASSAGES])})
    rows = database.query(
        "SELECT start_s, end_s, local_speaker, first_word, last_word, text FROM passages "
        "WHERE video_id = %s AND (model, model_revision) = (%s, %s) ORDER BY passage_index",
        [video.video_id, *((runs[0]["model"], runs[0]["model_revision"]) if runs else ("", ""))],
    )
    covered = rows[-1]["last_word"] + 1 if rows else 0
    if not runs or covered != words:
        raise InconsistentVideo(
            f"{video.video_id} is not ingested to its end: its passages are not of its present words and turns.",
            f"Wait for the ingest that is at work on it, or start one: earshot ingest {video.url!r}",
        )
    columns = ["start_s", "end_s", "local_speaker", "first_word", "last_word", "text"]
    return pd.DataFrame(rows, columns=columns, dtype=object)  # of objects: a speaker who is None stays None
