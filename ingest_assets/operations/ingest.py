"""Ingest: processes the videos of sources in this process, one after another. Prints nothing.

Each video is a run of the Dagster job `ingest_video` in the same instance as the daemon's runs, so that the UI shows it, but
models stay loaded from one video to the next. If a video has captions, they are searched until its run ends. Current stages are
skipped; stale ones run, with those below them. `ingest()` and `retry()` yield an `Outcome` as each source or video ends. A
failed source or video does not stop the others; a site that blocks (`Blocked`) ends its source, and a configuration error
(`Misconfigured`) ends everything, because the rest would fail, too.

A listing does not retry a video in a permanent state (private, removed, ...); `retry()`, `force`, and a source that is just
this one video do. Nor does it bring back a video that the user removed; `force` and its own address do.
`keep_search_index()` and `identify_speakers()` then do the work over all videos.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from dagster import DagsterInstance, ExecuteInProcessResult

from earshot.common.errors import Blocked, Misconfigured, SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.config.hints import Hints
from earshot.config.settings import read_settings
from earshot.config.sources_file import Kind, Source
from earshot.models.device import require_device
from earshot.models.registry import model_set
from earshot.sources.listings import video_of
from earshot.sources.polling import select
from earshot.sources.selection import Selection
from earshot.storage.catalog.entries import Entry
from earshot.storage.catalog.removals import excluded_among, readmit
from earshot.storage.catalog.source_states import lift_pause
from earshot.storage.catalog.stages import UPSTREAM
from earshot.storage.catalog.video_hints import keep_hints, own_hints
from earshot.storage.catalog.videos import (
    PERMANENT_STATES,
    Video,
    get_video,
    list_videos,
    mark_ready_if_complete,
    record_crash,
    register,
    reset_attempts,
)
from earshot.storage.database import Database
from earshot.storage.locks import lock, video_lock
from earshot.storage.media_store import require_media_store
from ingest_assets.assets.search_index import plan
from ingest_assets.operations.captions import search_captions
from ingest_assets.operations.local_runs import run_job
from ingest_assets.operations.run_failures import failure_of, raise_failure
from ingest_assets.operations.runs import end_dead_runs
from ingest_assets.partitions import videos
from ingest_assets.stages.freshness import reasons_to_run
from ingest_assets.stages.outputs import read_outputs
from ingest_assets.stages.stage import FORCE_TAG
from ingest_assets.stages.versions import expected_versions


@dataclass(frozen=True)
class Outcome:
    """The result for a source (`video` None: it could not be listed) or a video.

    `result` is `done`, `current` (nothing to do), `planned` (dry run), `left_out` or `failed`; `stages` ran or would run, and
    the `reused` ones of them kept their rows, which were still valid; `reason` says why a video was left out; `failed_checks`
    are messages about stages that were slow or ran on another device than requested; `blocked`: the site blocks us.
    """

    source: str
    video: Video | None
    result: str
    stages: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    error: str = ""
    run_id: str = ""
    failed_checks: tuple[str, ...] = ()
    blocked: bool = False
    reason: str = ""


@dataclass(frozen=True)
class IngestChoice:
    """The user's options besides the sources. `hints` are for the videos that are new, and for one that is named itself."""

    dry_run: bool = False
    force: bool = False
    hints: Hints = field(default_factory=Hints)


def ingest(
    sources: Sequence[Source], choice: IngestChoice, database: Database, instance: DagsterInstance
) -> Iterator[Outcome | Video]:
    """Ingest every source. Yields each video before its run starts, and each Outcome."""
    end_dead_runs(instance, database)
    forced: set[str] = set()
    for source in sources:
        if choice.force and not choice.dry_run:
            lift_pause(database, source.address)
        try:
            decided = select(source, database)
        except (SourceUnusable, Blocked) as error:
            yield Outcome(source.name, None, "failed", error=str(error), blocked=isinstance(error, Blocked))
            continue
        alone = len(decided) == 1
        wanted_back = choice.force or (alone and source.kind is Kind.URL)
        decided = _with_excluded(decided, wanted_back, choice.dry_run, database)
        wanted = [video_of(entry, source) for entry, decision in decided if decision.verdict == "wanted"]
        yield from _left_out(source, decided)
        if not choice.dry_run:
            register(database, wanted)
            instance.add_dynamic_partitions(str(videos.name), [video.video_id for video in wanted])
            _keep_hints(database, wanted, choice.hints, named=alone and source.kind is Kind.URL)
            search_captions(source, [entry for entry, decision in decided if decision.verdict == "wanted"], alone, database)
        yield from _ingest_videos(source.name, wanted, alone, choice, forced, database, instance)


def _keep_hints(database: Database, wanted: Sequence[Video], hints: Hints, named: bool) -> None:
    """Store the hints for the videos that were not ingested yet, or for the one that the user named."""
    if not hints.given:
        return
    keys = [video.video_id for video in wanted]
    ready = set() if named else {video.video_id for video in list_videos(database, "ready", among=keys)}
    for key in keys:
        if key not in ready:
            keep_hints(database, key, hints.over(own_hints(database, key)))


def retry(chosen: Sequence[Video], database: Database, instance: DagsterInstance) -> Iterator[Outcome | Video]:
    """Retry these videos now, whatever their states. Yields as `ingest()` does."""
    end_dead_runs(instance, database)
    instance.add_dynamic_partitions(str(videos.name), [video.video_id for video in chosen])
    for address in dict.fromkeys(video.source for video in chosen):
        of_source = [video for video in chosen if video.source == address]
        lift_pause(database, address)
        reset_attempts(database, [video.video_id for video in of_source])
        yield from _ingest_videos(without_secrets(address), of_source, True, IngestChoice(), set(), database, instance)


def identify_speakers(instance: DagsterInstance) -> dict[str, float]:
    """Judge new enrolments and identify the speakers in all videos; returns the counts of asset `people`.

    Raises EarshotError if that failed.
    """
    return _run_over_all(instance, "identify_people", "who speaks in them is not known")


def keep_search_index(database: Database, instance: DagsterInstance) -> dict[str, float]:
    """Maintain the search index if necessary (asset `search_index`); returns its figures, or {} if there was nothing to do."""
    if not plan(database, model_set(read_settings()).text).description:
        return {}
    return _run_over_all(instance, "keep_search_index", "the search index is not up to date")


def _run_over_all(instance: DagsterInstance, job_name: str, consequence: str) -> dict[str, float]:
    """Run a job of unpartitioned assets; returns the figures in the last one's metadata. `consequence` is that of an error."""
    result = run_job(job_name, instance)
    if not result.success:
        raise_failure(result, f"The videos are ingested, but {consequence}: ")
    event = [event for event in result.all_events if event.is_step_materialization][-1]
    metadata = event.step_materialization_data.materialization.metadata
    return {key: float(entry.value) for key, entry in metadata.items() if isinstance(entry.value, int | float)}


def _with_excluded(
    decided: Sequence[tuple[Entry, Selection]], wanted_back: bool, dry_run: bool, database: Database
) -> list[tuple[Entry, Selection]]:
    """The decisions, in which removed videos are left out, or readmitted if they are wanted back."""
    wanted = [entry.video_id for entry, decision in decided if decision.verdict == "wanted"]
    with database.connect() as connection:
        if wanted_back and not dry_run:
            readmit(connection, wanted)
        excluded = {} if wanted_back else excluded_among(connection, wanted)
    left_out = {video_id: Selection("left_out", reason) for video_id, reason in excluded.items()}
    return [(entry, left_out.get(entry.video_id, decision)) for entry, decision in decided]


def _left_out(source: Source, decided: Sequence[tuple[Entry, Selection]]) -> Iterator[Outcome]:
    for entry, decision in decided:
        if decision.verdict != "wanted":
            yield Outcome(source.name, video_of(entry, source), "left_out", reason=decision.reason)


def _ingest_videos(
    source: str,
    wanted: Sequence[Video],
    asked_for: bool,
    choice: IngestChoice,
    forced: set[str],
    database: Database,
    instance: DagsterInstance,
) -> Iterator[Outcome | Video]:
    """`asked_for`: the user named each video, so that none is left out for its permanent state."""
    for index, video in enumerate(wanted, start=1):
        known = get_video(database, video.video_id)
        if known is not None and known.state in PERMANENT_STATES and not (asked_for or choice.force):
            reason = f"{known.state.replace('_', ' ')}; `earshot retry {video.video_id}` tries it again"
            yield Outcome(source, known, "left_out", reason=reason)
            continue
        # A video of two sources is forced only once; the second time it is current.
        once = replace(choice, force=choice.force and video.video_id not in forced)
        forced.add(video.video_id)
        blocked = False
        for step in _ingest_video(source, video, once, database, instance):
            blocked = isinstance(step, Outcome) and step.blocked
            yield step
        if blocked and index < len(wanted):
            untried = f"{source}: the site blocks this machine; {len(wanted) - index} videos were not tried."
            yield Outcome(source, None, "failed", error=untried)
            return


def _ingest_video(
    source: str, video: Video, choice: IngestChoice, database: Database, instance: DagsterInstance
) -> Iterator[Outcome | Video]:
    if choice.dry_run:
        stages = _stages(database, video.video_id, choice.force)
        known = get_video(database, video.video_id) or video
        yield Outcome(source, known, "planned" if stages else "current", stages)
        return
    with lock(database.url, video_lock(video.video_id)):
        # Under the lock: another process may just have finished this video.
        stages = _stages(database, video.video_id, choice.force)
        if not stages:
            mark_ready_if_complete(database, video.video_id)  # clears an earlier error
            yield Outcome(source, get_video(database, video.video_id), "current")
            return
        require_device(read_settings().device)
        require_media_store()
        yield video
        yield _run(source, video.video_id, stages, choice.force, database, instance)


def _stages(database: Database, video_id: str, force: bool) -> tuple[str, ...]:
    expected = expected_versions()
    outputs = read_outputs(database, [video_id])[video_id]
    return tuple(expected) if force else tuple(reasons_to_run(expected, UPSTREAM, outputs))


def _run(
    source: str, video_id: str, stages: tuple[str, ...], force: bool, database: Database, instance: DagsterInstance
) -> Outcome:
    result = run_job("ingest_video", instance, video_id, stages, {FORCE_TAG: "true"} if force else {})
    run_id = result.run_id
    error, blocked = ("", False) if result.success else _failure(result, database, video_id)
    failed = database.query("SELECT severity, message FROM check_failures WHERE run_id = %s ORDER BY failure_id", [run_id])
    timed = {row["asset"] for row in database.query("SELECT asset FROM asset_timings WHERE run_id = %s", [run_id])}
    return Outcome(
        source,
        get_video(database, video_id),
        "failed" if error else "done",
        stages,
        () if error else tuple(stage for stage in stages if stage not in timed),
        error,
        run_id,
        tuple(f"{row['severity'].upper()}: {row['message']}" for row in failed),
        blocked,
    )


def _failure(result: ExecuteInProcessResult, database: Database, video_id: str) -> tuple[str, bool]:
    """Why the run failed, and whether the site blocks. Records an unknown error in the catalogue. Raises Misconfigured for a
    configuration error, and KeyboardInterrupt if the user interrupted.
    """
    failure = failure_of(result)
    if failure.interrupted:
        raise KeyboardInterrupt  # Dagster turns it into a failed step, but the user meant the whole command
    if failure.kind is None:
        record_crash(database, video_id, failure.message)
        return failure.message, False
    if issubclass(failure.kind, Misconfigured):
        raise failure.kind(failure.message)
    return failure.message, issubclass(failure.kind, Blocked)
