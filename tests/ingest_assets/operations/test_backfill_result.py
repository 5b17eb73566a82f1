"""What a backfill changed: before and after."""

from typing import Any

from earshot.storage.database import Database
from ingest_assets.operations.backfill_result import Example, changed_passages, read_result, stage_changes
from tests.support.library import fill, run_stages


def row(video_id: str = "v", stage: str = "text_embeddings", **changed: Any) -> dict[str, Any]:
    """A stage that ran again, twice as fast, with the same result."""
    usual = {
        "video_id": video_id, "title": video_id.upper(), "stage": stage, "before": 1, "after": 2, "reused": False,
        "content_before": "same", "content_after": "same", "audio_s_before": 60.0, "took_s_before": 6.0,
        "audio_s_after": 60.0, "took_s_after": 3.0, "count_before": 10, "count_after": 10, "said_before": None,
        "said_after": None,
    }  # fmt: skip
    return usual | changed


def test_stage_changes_are_counted_upstream_first() -> None:
    rows = [row(), row("w", content_after="new", count_after=12), row(stage="transcript", count_before=100, count_after=90)]
    transcript, passages = stage_changes(rows)
    assert (transcript.stage, transcript.noun) == ("transcript", "words")
    assert (transcript.count_before, transcript.count_after) == (100, 90)
    assert (passages.stage, passages.videos, passages.redone, passages.changed) == ("text_embeddings", 2, 2, 1)
    assert (passages.count_before, passages.count_after) == (20, 22)
    assert (passages.x_realtime_before, passages.x_realtime_after) == (10.0, 20.0)


def test_reused_and_missing_stages_have_no_speed() -> None:
    [change] = stage_changes([row(after=1, reused=True), row("w", after=1), row("x", after=None, content_after=None)])
    assert (change.videos, change.redone, change.reused, change.missing) == (3, 0, 1, 2)
    assert (change.x_realtime_before, change.x_realtime_after) == (None, None)
    assert change.changed == 0


def test_content_without_digest_is_not_compared() -> None:
    [change] = stage_changes([row(content_before="run 1"), row("w", content_before=None)])
    assert change.changed is None
    [voices] = stage_changes([row(stage="voice_embeddings", content_before="", content_after="", count_before=None)])
    assert (voices.changed, voices.noun, voices.count_before) == (None, "", None)


def test_first_run_of_a_stage_is_not_compared() -> None:
    never_ran: dict[str, Any] = dict.fromkeys(["before", "content_before", "audio_s_before", "took_s_before", "count_before"])
    [change] = stage_changes([row(**never_ran)])
    assert (change.redone, change.x_realtime_before, change.x_realtime_after, change.count_after) == (1, None, None, None)


def passages(*texts: str) -> list[dict[str, Any]]:
    return [{"start_s": 10.0 * index, "text": text} for index, text in enumerate(texts)]


def test_example_is_first_changed_passage() -> None:
    rows = [
        row(said_before=passages("one", "two"), said_after=passages("one", "two")),
        row("w", said_before=passages("one", "two"), said_after=passages("one", "zwei")),
        row("x", said_before=passages("one"), said_after=None),
        row("y", said_before=passages("one", "two", "three"), said_after=passages("one two", "three")),
    ]
    assert changed_passages(rows) == [
        Example("w", "W", 10.0, "two", "zwei"),
        Example("x", "X", 0.0, "one", ""),
        Example("y", "Y", 0.0, "one", "one two"),
    ]
    assert len(changed_passages(rows, most=1)) == 1


def test_result_compares_with_kept_rows(database: Database) -> None:
    fill(database, ["v"], said=[" Good", " day."])
    run_stages(database, "v", "transcript", "speaker_turns", "text_embeddings")
    database.query("INSERT INTO backfills (backfill_id, videos) VALUES ('b', 1)")
    database.query(
        "INSERT INTO backfill_before (backfill_id, video_id, asset, timing_id, content, said) "
        """SELECT 'b', video_id, asset, timing_id, content, '[{"start_s": 0, "text": "Bad day."}]' """
        "FROM stage_outputs WHERE asset = 'text_embeddings'"
    )
    run_stages(database, "v", "text_embeddings")
    rows = read_result(database, "b")
    [change] = stage_changes(rows)
    assert (change.redone, change.reused, change.changed, change.count_before, change.count_after) == (1, 0, 1, 300, 300)
    assert changed_passages(rows) == [Example("v", "V", 0.0, "Bad day.", "Good day.")]
