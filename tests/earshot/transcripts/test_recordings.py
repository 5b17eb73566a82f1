"""A recording is read from one snapshot, or refused if its parts do not match."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest

from earshot.common.errors import InconsistentVideo, NotTranscribed
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.transcripts.recordings import ExportCounts, read_recording, read_recordings
from earshot.transcripts.search.text_models import register_text_model
from tests.support.library import fill, run_stages
from tests.support.videos.spoken_videos import MODEL


def texts(database: Database, video_id: str) -> tuple[list[str], list[str]]:
    recording = read_recording(database, video_id)
    return recording.words.text.tolist(), recording.passages.text.tolist()


def test_recording_has_the_rows_of_all_stages(database: Database) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    recording = read_recording(database, "v")
    assert (recording.video.title, recording.language) == ("V", "en")
    assert recording.words.text.tolist() == [" Good", " day."]
    assert recording.passages.to_dict("records") == [
        {"start_s": 0.0, "end_s": 2.0, "local_speaker": "SPEAKER_00", "first_word": 0, "last_word": 1, "text": "Good day."}
    ]
    assert recording.turns.local_speaker.tolist() == recording.exclusive_turns.local_speaker.tolist() == ["SPEAKER_00"]
    assert recording.word_speakers() == ["SPEAKER_00", "SPEAKER_00"]


def test_silent_recording_is_readable(database: Database) -> None:
    fill(database, ["v"], said=[])
    assert texts(database, "v") == ([], [])


def test_video_without_transcript_is_refused(database: Database) -> None:
    with pytest.raises(NotTranscribed, match="no video 'v'"):
        read_recording(database, "v")
    register(database, [Video("v", "/a/b.mp3", "/a", "B")])
    with pytest.raises(NotTranscribed, match=r"earshot ingest '/a/b\.mp3'"):
        read_recording(database, "v")


@dataclass(frozen=True)
class Interrupting(Database):
    """Runs these statements outside the snapshot, after the words have been read in it."""

    statements: Sequence[str] = ()

    def frame(self, table: str, video_id: str, order: str) -> pd.DataFrame:
        rows = super().frame(table, video_id, order)
        if table == "words":
            for statement in self.statements:
                Database(self.url).query(statement)
        return rows


def test_recording_is_read_from_one_snapshot(database: Database) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    changes = ("UPDATE turns SET local_speaker = 'SPEAKER_05'", "DELETE FROM passages")
    recording = read_recording(Interrupting(database.url, statements=changes), "v")
    assert recording.turns.local_speaker.tolist() == ["SPEAKER_00"]
    assert recording.passages.text.tolist() == ["Good day."]
    assert database.frame("turns", "v", "turn_index").local_speaker.tolist() == ["SPEAKER_05"]


def test_video_deleted_while_read_is_complete(database: Database) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    interrupting = Interrupting(database.url, statements=["DELETE FROM videos"])
    assert read_recording(interrupting, "v").passages.text.tolist() == ["Good day."]
    with pytest.raises(NotTranscribed):
        read_recording(database, "v")


@pytest.mark.parametrize(
    "stages",
    [["transcript"], ["speaker_turns"], ["transcript", "speaker_turns"], ["text_embeddings", "transcript"]],
)
def test_outdated_passages_are_refused(database: Database, stages: Sequence[str]) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    run_stages(database, "v", *stages)
    with pytest.raises(InconsistentVideo, match="passages"):
        read_recording(database, "v")
    run_stages(database, "v", "text_embeddings")
    assert texts(database, "v") == ([" Good", " day."], ["Good day."])


def test_video_without_passages_is_refused(database: Database) -> None:
    fill(database, ["v"], said=[])
    database.query("DELETE FROM stage_outputs WHERE asset <> 'transcript'")
    with pytest.raises(InconsistentVideo, match="v is not ingested"):
        read_recording(database, "v")


def test_latest_passages_of_two_text_models_are_read(database: Database) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    new = replace(MODEL, name="new")
    register_text_model(database, new)
    database.query(
        "INSERT INTO passages (video_id, passage_index, start_s, end_s, local_speaker, first_word, last_word, text, model, "
        "model_revision, embedding) SELECT video_id, i, i, i + 1, local_speaker, i, i, text || i, 'new', model_revision, "
        "embedding FROM passages, generate_series(0, 1) AS i"
    )
    assert read_recording(database, "v").passages.text.tolist() == ["Good day."]
    run_stages(database, "v", "text_embeddings", model=new)
    assert read_recording(database, "v").passages.text.tolist() == ["Good day.0", "Good day.1"]


@pytest.mark.parametrize("texts", [[], [" Good"], [" Good", " day", " sir."]])
def test_passages_of_other_words_are_refused(database: Database, texts: list[str]) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    rows: list[dict[str, Any]] = [
        {"word_index": i, "segment_index": 0, "start_s": float(i), "end_s": i + 1.0, "text": text, "probability": 0.5}
        for i, text in enumerate(texts)
    ]
    columns = ["word_index", "segment_index", "start_s", "end_s", "text", "probability"]
    database.replace("v", {"words": pd.DataFrame(rows, columns=columns)})
    with pytest.raises(InconsistentVideo, match="v is not ingested"):
        read_recording(database, "v")


def test_unreadable_recordings_are_counted_and_skipped(database: Database) -> None:
    fill(database, ["a", "c", "d"], said=[" Good", " day."])
    register(database, [Video("b", "/b.mp3", "/", "B")])
    run_stages(database, "c", "text_embeddings", "transcript")
    counts, refusals = ExportCounts(), list[str]()
    recordings = list(read_recordings(database, ["a", "b", "c", "d", "gone"], counts, refusals.append))
    assert [recording.video.video_id for recording in recordings] == ["a", "d"]
    assert counts == ExportCounts(read=2, untranscribed=2, refused=1)
    assert [refusal.split()[0] for refusal in refusals] == ["c"]
