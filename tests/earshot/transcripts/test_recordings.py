"""A recording is read from one snapshot, or refused."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from earshot.common.errors import InconsistentVideo, NotTranscribed
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.transcripts.recordings import ExportCounts, read_recording, read_recordings
from earshot.transcripts.search.text_models import register_text_model
from tests.support.library import fill, run_stages
from tests.support.spoken_videos import MODEL


def texts(database: Database, video_id: str) -> tuple[list[str], list[str]]:
    there = read_recording(database, video_id)
    return there.words.text.tolist(), there.passages.text.tolist()


def test_a_recording_has_what_the_stages_left(database: Database) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    there = read_recording(database, "v")
    assert (there.video.title, there.language) == ("V", "en")
    assert there.words.text.tolist() == [" Good", " day."]
    assert there.passages.to_dict("records") == [
        {"start_s": 0.0, "end_s": 2.0, "local_speaker": "SPEAKER_00", "first_word": 0, "last_word": 1, "text": "Good day."}
    ]
    assert there.turns.local_speaker.tolist() == there.exclusive_turns.local_speaker.tolist() == ["SPEAKER_00"]
    assert there.word_speakers() == ["SPEAKER_00", "SPEAKER_00"]


def test_silent_recording_is_readable(database: Database) -> None:
    fill(database, ["v"], said=[])
    assert texts(database, "v") == ([], [])


def test_missing_or_untranscribed_video_gets_clear_error(database: Database) -> None:
    with pytest.raises(NotTranscribed, match="There is no video 'v'"):
        read_recording(database, "v")
    register(database, [Video("v", "/a/b.mp3", "/a", "B")])
    with pytest.raises(NotTranscribed, match=r"v has no transcript \(state new\)\. Ingest it: earshot ingest '/a/b\.mp3'"):
        read_recording(database, "v")


class Interrupting(Database):
    """Writes between two queries of this snapshot, after the one for the words."""

    def frame(self, table: str, video_id: str, order: str) -> pd.DataFrame:
        found = super().frame(table, video_id, order)
        if table == "words":
            write(Database(self.url), video_id)
        return found


def write(database: Database, video_id: str) -> None:
    """Replaces the video's words and speakers."""
    database.query("UPDATE turns SET local_speaker = 'SPEAKER_05' WHERE video_id = %s", [video_id])
    database.query("DELETE FROM passages WHERE video_id = %s", [video_id])


def test_recording_is_read_from_one_snapshot(database: Database) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    there = read_recording(Interrupting(database.url), "v")
    assert there.turns.local_speaker.tolist() == ["SPEAKER_00"]
    assert there.passages.text.tolist() == ["Good day."]
    assert database.frame("turns", "v", "turn_index").local_speaker.tolist() == ["SPEAKER_05"]


def test_a_video_deleted_while_it_is_read_is_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    monkeypatch.setattr(
        "tests.earshot.transcripts.test_recordings.write",
        lambda other, key: other.query("DELETE FROM videos WHERE video_id = %s", [key]),
    )
    assert read_recording(Interrupting(database.url), "v").passages.text.tolist() == ["Good day."]
    with pytest.raises(NotTranscribed):
        read_recording(database, "v")


@pytest.mark.parametrize(
    "stages",
    [
        ["transcript"],
        ["speaker_turns"],
        ["transcript", "speaker_turns"],
        ["text_embeddings", "transcript"],
    ],
)
def test_passages_older_than_what_they_are_made_from_are_refused(database: Database, stages: Sequence[str]) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    run_stages(database, "v", *stages)
    with pytest.raises(InconsistentVideo, match="its passages do not match its current words and turns"):
        read_recording(database, "v")
    run_stages(database, "v", "text_embeddings")
    assert texts(database, "v") == ([" Good", " day."], ["Good day."])


def test_video_without_passages_is_refused(database: Database) -> None:
    fill(database, ["v"], said=[])
    database.query("DELETE FROM stage_outputs WHERE asset <> 'transcript'")
    with pytest.raises(InconsistentVideo, match="v is not ingested to its end"):
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


@pytest.mark.parametrize("said", [[], [" Good"], [" Good", " day", " sir."]])
def test_passages_of_more_or_fewer_words_are_refused(database: Database, said: list[str]) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    rows: list[dict[str, Any]] = [
        {"word_index": i, "segment_index": 0, "start_s": float(i), "end_s": i + 1.0, "text": text, "probability": 0.5}
        for i, text in enumerate(said)
    ]
    columns = ["word_index", "segment_index", "start_s", "end_s", "text", "probability"]
    database.replace("v", {"words": pd.DataFrame(rows, columns=columns)})
    with pytest.raises(InconsistentVideo, match="v is not ingested to its end"):
        read_recording(database, "v")


def test_unreadable_recordings_are_counted_and_skipped(database: Database) -> None:
    fill(database, ["a", "c", "d"], said=[" Good", " day."])
    register(database, [Video("b", "/b.mp3", "/", "B")])
    run_stages(database, "c", "text_embeddings", "transcript")
    tally, refused = ExportCounts(), list[str]()
    found = [there.video.video_id for there in read_recordings(database, ["a", "b", "c", "d", "gone"], tally, refused.append)]
    assert (found, tally) == (["a", "d"], ExportCounts(read=2, untranscribed=2, refused=1))
    assert [why.split()[0] for why in refused] == ["c"]
