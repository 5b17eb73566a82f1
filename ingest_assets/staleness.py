"""Staleness: what of the library is out of date, and why.

A row for each stage of each `ready` video that a run today would do again, since its code version or model is another one, or
what it is made from was made anew since. What that means is ingest_assets/currency.py; table `asset_timings` remembers it.
Videos that were never ingested whole are not stale: they are new, or wait to be tried again (`earshot videos`).

Not looked at are settings that change no model, and recordings that changed where they came from.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from ingest_assets.currency import LastRun, Version, reasons_to_run
from ingest_assets.jobs import video_assets
from ingest_assets.moments import hms
from ingest_assets.report import Sheet
from resources.catalogue import STAGES
from resources.database import Database
from resources.models import model_set
from resources.settings import read_settings

UPSTREAM = {asset.key.to_user_string(): {dep.to_user_string() for dep in asset.dependency_keys} for asset in video_assets}
COLUMNS = ["video_id", "title", "source", "stage", "reason", "took_s"]

_LAST = """
    SELECT DISTINCT ON (t.video_id, t.asset) t.video_id, t.asset, timing_id, code_version, model, model_revision,
        wall_s - load_s AS took_s
    FROM asset_timings t WHERE t.video_id = ANY(%s) ORDER BY t.video_id, t.asset, timing_id DESC
"""


def expected_versions() -> dict[str, Version]:
    """What today's code and model set would leave, by stage, upstream first."""
    chosen = model_set(read_settings())
    models = {
        "transcript": chosen.speech,
        "speaker_turns": chosen.diarization,
        "voice_embeddings": chosen.voice,
        "text_embeddings": chosen.text,
    }
    expected = {}
    for asset in video_assets:
        name = asset.key.to_user_string()
        code_version = asset.code_versions_by_key[asset.key] or ""
        model = models.get(name)
        expected[name] = Version(code_version, model.name, model.revision) if model else Version(code_version)
    return expected


def last_runs(database: Database, video_ids: Sequence[str]) -> Mapping[str, dict[str, LastRun]]:
    """Each stage's last timing, by video. `audio` loads no model: the decoder's version makes nothing out of date."""
    found: defaultdict[str, dict[str, LastRun]] = defaultdict(dict)
    for row in database.query(_LAST, [list(video_ids)]):
        model = {} if row["asset"] == "audio" else {key: row[key] for key in ("model", "model_revision")}
        version = Version(row["code_version"], **model)
        found[row["video_id"]][row["asset"]] = LastRun(version, row["timing_id"], row["took_s"])
    return found


def read_stale(database: Database, stages: Sequence[str] = STAGES) -> pd.DataFrame:
    """What is out of date of these stages, in order of videos' keys, upstream first.

    Columns: video_id, title, source, stage, reason, took_s (seconds that the stage took last time, without loading models; NaN
    where it never ran).
    """
    ready = database.query("SELECT video_id, title, source FROM videos WHERE state = 'ready' ORDER BY video_id")
    last, expected = last_runs(database, [video["video_id"] for video in ready]), expected_versions()
    rows = [
        (*video.values(), stage, reason, runs[stage].took_s if stage in runs else float("nan"))
        for video in ready
        for runs in [last.get(video["video_id"], {})]
        for stage, reason in reasons_to_run(expected, UPSTREAM, runs).items()
        if stage in stages
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def stale_sheet(stale: pd.DataFrame) -> Sheet:
    """What is out of date as a table for people, a row for each stage and reason."""
    headings = [("stage", "left"), ("videos", "right"), ("took", "right"), ("why", "left"), ("one of them", "left")]
    rows = [
        [row["stage"], f"{row['videos']:,}", hms(row["took_s"]), row["reason"], row["example"]]
        for row in summarize_stale(stale).to_dict("records")
    ]
    return Sheet(headings, rows)


def summarize_stale(stale: pd.DataFrame) -> pd.DataFrame:
    """A row for each stage and reason, most upstream first: stage, reason, videos, took_s in sum, and one of the videos."""
    order = {stage: place for place, stage in enumerate(STAGES)}
    grouped = stale.groupby(["stage", "reason"], as_index=False).agg(
        videos=("video_id", "size"), took_s=("took_s", "sum"), example=("video_id", "first")
    )
    return grouped.sort_values(["stage", "videos"], key=lambda column: column.map(order) if column.name == "stage" else -column)
