"""Recordings: everything the library stores about a video, read for exports.

`read_recording()` reads a video in one database snapshot, so it sees a concurrent deletion or correction entirely or not at
all. Each stage writes its rows in one transaction, but stages run one after another: while a video is ingested again, or after
an interrupted ingest, its words are new and its passages old. Such a video is refused as inconsistent.

Words are read as users corrected them, without deleted ones. Who says a word is decided by the words that whisper heard, so a
correction of words never changes who speaks.

`read_recordings()` reads many, with one in memory at a time; `spoken_by()` reduces a recording to one speaker.
earshot/transcripts/formats/exports.py turns recordings into text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from earshot.common.errors import InconsistentVideo, NotTranscribed
from earshot.storage.catalog.stages import UPSTREAM
from earshot.storage.catalog.videos import Video, get_video
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import Names, Speaker, speaker_names
from earshot.transcripts.attribution.speaker_refs import SpeakerRef
from earshot.transcripts.attribution.word_speakers import attribute_words
from earshot.transcripts.corrections.corrected_words import correct_words
from earshot.transcripts.corrections.passage_words import among_said
from earshot.transcripts.corrections.word_corrections import read_corrections

PASSAGES = "text_embeddings"  # the stage that makes passages

# The model of a video's passages, if they were made from the current results of the upstream stages.
_PASSAGES_OF = """
    SELECT model, model_revision FROM stage_outputs o WHERE video_id = %(video)s AND asset = %(passages)s AND NOT EXISTS (
        SELECT FROM unnest(%(above)s::text[]) AS above
        LEFT JOIN stage_outputs u ON u.video_id = o.video_id AND u.asset = above
        WHERE u.content IS NULL OR u.content IS DISTINCT FROM o.made_from ->> above)
"""


@dataclass(frozen=True)
class Recording:
    """One video's rows and its speakers' names. Each frame is in order of time, times are seconds of the recording.

    words: start_s, end_s, text, probability, corrected. turns and exclusive_turns: start_s, end_s, local_speaker; turns also
    overlap. passages: start_s, end_s, local_speaker, first_word, last_word (inclusive), text.
    """

    video: Video
    language: str | None
    words: pd.DataFrame
    turns: pd.DataFrame
    exclusive_turns: pd.DataFrame
    passages: pd.DataFrame
    names: Names
    spoken: tuple[str | None, ...] | None = None  # `word_speakers()` of an excerpt or of corrected words, found from all words

    def word_speakers(self) -> list[str | None]:
        """The local speaker of each word, None where the diarization found no speaker."""
        if self.spoken is not None:
            return list(self.spoken)
        return attribute_words(self.words, self.exclusive_turns, self.turns)


@dataclass
class ExportCounts:
    """How many videos were read, had no transcript (or were deleted meanwhile), and were refused as inconsistent."""

    read: int = 0
    untranscribed: int = 0
    refused: int = 0

    @property
    def looked_at(self) -> int:
        return self.read + self.untranscribed + self.refused


def read_recording(database: Database, video_id: str) -> Recording:
    """The video, from one snapshot. Raises NotTranscribed, or InconsistentVideo if its rows are of two ingests."""
    with database.snapshot() as snapshot:
        video, language = find_transcribed(snapshot, video_id)
        heard = snapshot.frame("words", video_id, "word_index")
        words = correct_words(heard, read_corrections(snapshot, video_id))
        recording = Recording(
            video=video,
            language=language,
            words=words,
            turns=snapshot.frame("turns", video_id, "turn_index"),
            exclusive_turns=snapshot.frame("exclusive_turns", video_id, "turn_index"),
            passages=_passages(snapshot, video, words),
            names=speaker_names(snapshot, video_id),
        )
    return _without_deleted(recording, heard) if words.corrected.any() else recording


def _without_deleted(recording: Recording, heard: pd.DataFrame) -> Recording:
    """The recording without words that corrections deleted; the words as they were `heard` decide who speaks."""
    said = (recording.words.text != "").to_numpy(dtype=bool)
    speakers = attribute_words(heard, recording.exclusive_turns, recording.turns)
    return replace(
        recording,
        words=recording.words[said].reset_index(drop=True),
        passages=among_said(recording.passages, said),
        spoken=tuple(speaker for speaker, is_said in zip(speakers, said, strict=True) if is_said),
    )


def read_recordings(
    database: Database, keys: Iterable[str], tally: ExportCounts, refused: Callable[[str], None]
) -> Iterator[Recording]:
    """The recordings of these videos, counted in `tally`; `refused` receives the message about each inconsistent one."""
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
    """The recording reduced to the words, turns and parts of passages that this person or voice speaks.

    Leaves out other speakers' back-channels, even within this speaker's sentences.
    """
    labels, names = recording.word_speakers(), recording.names
    own = np.array([_is(speaker, who) for speaker in names.of_spans(recording.words, labels)], dtype=bool)
    turns, exclusive = (
        frame[[_is(speaker, who) for speaker in names.of_spans(frame, frame.local_speaker.tolist())]].reset_index(drop=True)
        for frame in (recording.turns, recording.exclusive_turns)
    )
    return replace(
        recording,
        words=recording.words[own].reset_index(drop=True),
        turns=turns,
        exclusive_turns=exclusive,
        passages=_own_passages(recording, own, labels),
        spoken=tuple(label for label, is_own in zip(labels, own, strict=True) if is_own),
    )


def _is(speaker: Speaker, who: SpeakerRef) -> bool:
    return speaker.person == who.name if who.voice_id is None else speaker.voice == who.voice_id


def _own_passages(recording: Recording, own: np.ndarray, labels: Sequence[str | None]) -> pd.DataFrame:
    """The passages reduced to a speaker's words (`own`); `first_word` and `last_word` count only those words."""
    rows, own_index = [], np.cumsum(own) - 1
    for row in recording.passages.to_dict("records"):
        inside = [index for index in range(row["first_word"], row["last_word"] + 1) if own[index]]
        if inside:
            words = recording.words.iloc[inside]
            part = {"start_s": words.start_s.iloc[0], "end_s": words.end_s.max(), "text": "".join(words.text).strip()}
            changed = part if len(inside) <= row["last_word"] - row["first_word"] else {}
            first, last = int(own_index[inside[0]]), int(own_index[inside[-1]])
            rows.append({**row, **changed, "first_word": first, "last_word": last, "local_speaker": labels[inside[0]]})
    return pd.DataFrame(rows, columns=recording.passages.columns, dtype=object)


def find_transcribed(database: Database, video_id: str) -> tuple[Video, str | None]:
    """The video and its language; raises NotTranscribed if there is no such video, or it has no transcript."""
    video = get_video(database, video_id)
    if video is None:
        raise NotTranscribed(f"There is no video {video_id!r}.", "`earshot videos` lists them.")
    rows = database.query("SELECT language FROM transcripts WHERE video_id = %s", [video_id])
    if not rows:
        why = f": {video.last_error}" if video.last_error else ""
        captioned = database.query("SELECT 1 FROM captions WHERE video_id = %s AND model IS NOT NULL", [video_id])
        lacks = "only captions, and no transcript" if captioned else "no transcript"
        raise NotTranscribed(f"{video_id} has {lacks} (state {video.state}{why}).", f"Ingest it: earshot ingest {video.url!r}")
    return video, rows[0]["language"]


def _passages(database: Database, video: Video, words: pd.DataFrame) -> pd.DataFrame:
    """The latest passages, of any text model, without their vectors, which are most of their data.

    Raises InconsistentVideo if they were not made from the current words and turns, or do not cover all words.
    """
    runs = database.query(_PASSAGES_OF, {"video": video.video_id, "passages": PASSAGES, "above": sorted(UPSTREAM[PASSAGES])})
    rows = database.query(
        "SELECT start_s, end_s, local_speaker, first_word, last_word, text FROM passages "
        "WHERE video_id = %s AND (model, model_revision) = (%s, %s) ORDER BY passage_index",
        [video.video_id, *((runs[0]["model"], runs[0]["model_revision"]) if runs else ("", ""))],
    )
    covered = rows[-1]["last_word"] + 1 if rows else 0
    complete = covered == len(words) or (not rows and not (words.text != "").any())  # there are none if all words were deleted
    if not runs or not complete:
        raise InconsistentVideo(
            f"{video.video_id} is not ingested to its end: its passages do not match its current words and turns.",
            f"Wait for its running ingest, or start one: earshot ingest {video.url!r}",
        )
    columns = ["start_s", "end_s", "local_speaker", "first_word", "last_word", "text"]
    return pd.DataFrame(rows, columns=columns, dtype=object)  # dtype object: a speaker of None stays None
