"""Measures identification on known speakers: the real pipeline on the episodes of bench/corpora/voice_episodes.py.

In its own home, with the configured models, the assets decode, diarize and embed each episode (without transcribing it,
because nothing here depends on words), two people are enrolled, and all speakers are identified. It measures:

1. DER of each episode, and the identity of each local speaker against the truth: false accepts (a wrong name, or a name for
   someone not enrolled), false rejects (enrolled but not named), recurring voices not joined, people merged.
2. Scores between local speakers of different episodes: EER, and both error rates at the threshold.
3. The share of vectors from the cache in a second run of `voice_embeddings`.
4. The cost per stage and video, and of identifying all speakers.
5. Ten minutes of eight people speaking in turn, in some noise: DER, local speakers and their identities.

Prints the figures as JSON, and writes them to bench/results/people/episodes-<commit>.json.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dagster import AssetKey, DagsterInstance

from bench.corpora.voice_episodes import ENROLLED, EPISODES, OWN_RECORDING, error_rate, long_episode, people_of
from bench.corpora.voice_episodes import write as write_episode
from bench.demo import choose_device
from bench.harness.figures import measured_on, own_home, write
from earshot.common.excerpt import FILE, VIDEO, Excerpt
from earshot.config.settings import read_settings
from earshot.config.sources_file import source_named
from earshot.models.device import require_device
from earshot.sources.listings import video_of
from earshot.sources.polling import select
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.people import add_enrolment, add_person
from earshot.speakers.tables.voice_space import thresholds
from earshot.speakers.voices.assignment import MIN_CLEAR_S
from earshot.speakers.voices.calibration import equal_error_rate, false_accepts, false_rejects
from earshot.storage.catalog.videos import register
from earshot.storage.database import Database, open_database
from earshot.transcripts.evaluation.identities import PersonInVideo, compare_identities
from ingest_assets.definitions import defs
from ingest_assets.operations.enrol import assess_people_file
from ingest_assets.operations.run_failures import QUIET
from ingest_assets.partitions import videos
from ingest_assets.stages.stage import FORCE_TAG
from resources.instance.home import open_instance

STAGES = ("audio", "speaker_turns", "voice_embeddings")
LONG_S = 600.0


@dataclass(frozen=True)
class JudgedSpeaker:
    """One local speaker: the true person ("" if there is no speech), and the identity found ("" for Unknown)."""

    video_id: str
    local_speaker: str
    person: str
    clear_s: float
    taken_for: str
    decided_by: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """Counts of the local speakers with enough clear speech to identify (MIN_CLEAR_S or more).

    `not_joined` are recurring members of the cast with several identities, `merged` pairs of the cast with a common one.
    """

    speakers: int
    named: int
    false_accepts: int
    false_rejects: int
    unknown: int
    recurring: tuple[str, ...]
    not_joined: tuple[str, ...]
    merged: tuple[tuple[str, str], ...]


def main() -> None:
    """Run the benchmark; print and write its figures."""
    os.environ["EARSHOT_DEVICE"], _ = choose_device(os.environ.get("EARSHOT_DEVICE"))
    with own_home() as home:
        os.environ["EARSHOT_PEOPLE"] = str(home / "people.yaml")
        database, instance = open_database(), open_instance()
        truths = compose_library(home, database, instance)
        started = time.perf_counter()
        identify(database)
        identify_s = time.perf_counter() - started
        document = {
            **measured_on(require_device(read_settings().device).name),
            "thresholds": asdict(thresholds(database, read_settings())),
            "episodes": [_episode(database, video_id, truth) for video_id, truth in truths.items()],
            "identities": asdict(judge(identified_speakers(database, truths))),
            "scores": score_figures(database, truths),
            "second_run": second_run(database, instance, list(truths)),
            "cost": costs(database),
            "identify_s": round(identify_s, 3),
            "ten_minutes": ten_minutes(home, database, instance),
        }
    print(json.dumps(document, indent=1))
    print(f"Written to {write(document, 'people/episodes-')}")


def compose_library(folder: Path, database: Database, instance: DagsterInstance) -> dict[str, pd.DataFrame]:
    """Diarize and embed the episodes and enrol ENROLLED; returns the truths by video_id, in order. Identifies no one yet."""
    truths = {}
    for episode in EPISODES:
        path, truth = write_episode(episode, folder / "episodes")
        truths[take_in(path, database, instance)] = truth
    own, _ = write_episode(OWN_RECORDING, folder)
    enrol(database, "narrator", [Excerpt(FILE, str(own))])
    studio, truth = next(iter(truths.items()))
    enrol(database, "deep narrator", [Excerpt(VIDEO, studio, start, end) for start, end in _runs(truth, "deep narrator")])
    assess_people_file(database, instance)
    return truths


def _runs(truth: pd.DataFrame, person: str) -> list[tuple[float, float]]:
    """Start and end of each run of consecutive turns by this person."""
    runs = truth.groupby((truth.person != truth.person.shift()).cumsum())
    return [(run.start_s.min(), run.end_s.max()) for _, run in runs if run.person.iloc[0] == person]


def enrol(database: Database, name: str, excerpts: Sequence[Excerpt]) -> int:
    """Add a person with these excerpts, not judged yet; returns the person's id."""
    person = add_person(database, name)
    with database.connect() as connection:
        for excerpt in excerpts:
            add_enrolment(connection, person.person_id, excerpt, listed=False)
    return person.person_id


def take_in(path: Path, database: Database, instance: DagsterInstance, stages: Sequence[str] = STAGES) -> str:
    """Run these assets for the file, as `earshot ingest` does; returns its video_id. Raises what the run raises."""
    source = source_named(str(path))
    [(entry, _)] = select(source, database)
    video = video_of(entry, source)
    register(database, [video])
    instance.add_dynamic_partitions(str(videos.name), [video.video_id])
    run_stages(video.video_id, instance, stages)
    return video.video_id


def run_stages(video_id: str, instance: DagsterInstance, stages: Sequence[str]) -> None:
    """Run these assets of one video, upstream first, even if they are current."""
    defs.resolve_job_def("ingest_video").execute_in_process(
        instance=instance,
        partition_key=video_id,
        asset_selection=[AssetKey(stage) for stage in stages],
        run_config=QUIET,
        tags={FORCE_TAG: "true"},
    )


def identified_speakers(database: Database, truths: Mapping[str, pd.DataFrame]) -> list[JudgedSpeaker]:
    """Every local speaker of these videos, with the true person and the identity found."""
    speakers = []
    for video_id, truth in truths.items():
        people = people_of(database.frame("turns", video_id, "turn_index"), truth)
        rows = database.query(
            "SELECT local_speaker, clear_s, coalesce(name, 'voice ' || voice_id, '') AS taken_for, decided_by, reason "
            "FROM local_speakers JOIN identities USING (video_id, local_speaker) LEFT JOIN people USING (person_id) "
            "WHERE video_id = %s ORDER BY local_speaker",
            [video_id],
        )
        speakers += [JudgedSpeaker(video_id=video_id, person=people[row["local_speaker"]], **row) for row in rows]
    return speakers


def judge(speakers: Sequence[JudgedSpeaker]) -> Verdict:
    """The verdict on the speakers with enough clear speech."""
    judged = [speaker for speaker in speakers if speaker.clear_s >= MIN_CLEAR_S and speaker.person]
    named = [speaker for speaker in judged if speaker.taken_for in ENROLLED]
    appearances = {(speaker.person, speaker.video_id) for speaker in judged}
    recurring = sorted(person for person, videos in Counter(person for person, _ in appearances).items() if videos > 1)
    found = compare_identities(PersonInVideo(each.video_id, each.person, each.taken_for or None) for each in judged)
    return Verdict(
        speakers=len(judged),
        named=len(named),
        false_accepts=sum(speaker.person != speaker.taken_for for speaker in named),
        false_rejects=sum(speaker.person in ENROLLED and speaker.person != speaker.taken_for for speaker in judged),
        unknown=sum(not speaker.taken_for for speaker in judged),
        recurring=tuple(recurring),
        not_joined=tuple(person for person in recurring if person in found.split),
        merged=tuple(sorted({pair for people in found.merged.values() for pair in combinations(people, 2)})),
    )


def score_figures(database: Database, truths: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Cosines of centroids between different episodes: EER, and both error rates at the threshold."""
    same, different = centroid_scores(database, truths)
    threshold = thresholds(database, read_settings()).threshold
    eer, eer_threshold = equal_error_rate(same, different)
    return {
        "one_person": len(same),
        "two_people": len(different),
        "one_person_lowest": round(float(same[0]), 3),
        "two_people_highest": round(float(different[-1]), 3),
        "eer": round(eer, 4),
        "eer_threshold": round(eer_threshold, 3),
        "false_accepts": round(false_accepts(different, threshold), 4),
        "false_rejects": round(false_rejects(same, threshold) or 0.0, 4),
    }


def centroid_scores(database: Database, truths: Mapping[str, pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Sorted cosines between different episodes: of the same person, and of different people."""
    speakers = []
    for video_id, truth in truths.items():
        people = people_of(database.frame("turns", video_id, "turn_index"), truth)
        for row in database.frame("local_speakers", video_id, "local_speaker").to_dict("records"):
            if row["clear_s"] >= MIN_CLEAR_S and people[row["local_speaker"]]:
                speakers.append((video_id, people[row["local_speaker"]], row["centroid"].to_numpy()))
    pairs = [(a, b, float(v @ w)) for (video, a, v), (other, b, w) in combinations(speakers, 2) if video != other]
    same = sorted(score for a, b, score in pairs if a == b)
    return np.array(same), np.array(sorted(score for a, b, score in pairs if a != b))


def second_run(database: Database, instance: DagsterInstance, video_ids: Sequence[str]) -> dict[str, float]:
    """Run `voice_embeddings` of each video again: vectors from the cache, and those computed again."""
    last = database.query("SELECT coalesce(max(timing_id), 0) AS timing_id FROM asset_timings")[0]["timing_id"]
    for video_id in video_ids:
        run_stages(video_id, instance, ["voice_embeddings"])
    [row] = database.query(
        "SELECT sum(cache_hits) AS hits, sum(cache_misses) AS misses, sum(wall_s - load_s) AS seconds FROM asset_timings "
        "WHERE timing_id > %s AND asset = 'voice_embeddings'",
        [last],
    )
    return {"cache_hits": row["hits"], "cache_misses": row["misses"], "s_per_video": round(row["seconds"] / len(video_ids), 3)}


def costs(database: Database) -> list[dict[str, Any]]:
    """The first run of each stage over all videos, without loading: seconds, and seconds per minute of audio."""
    rows = database.query(
        "SELECT DISTINCT ON (video_id, asset) asset, audio_s, wall_s - load_s AS seconds FROM asset_timings "
        "ORDER BY video_id, asset, timing_id"
    )
    sums = pd.DataFrame(rows).groupby("asset")[["audio_s", "seconds"]].sum()
    per_minute = (60.0 * sums.seconds / sums.audio_s).round(2)
    return [
        {
            "asset": stage,
            "audio_s": round(sums.audio_s[stage], 1),
            "s": round(sums.seconds[stage], 2),
            "s_per_minute": per_minute[stage],
        }
        for stage in STAGES
    ]


def ten_minutes(folder: Path, database: Database, instance: DagsterInstance) -> dict[str, Any]:
    """The whole cast in one long episode, identified in a library of the short ones."""
    path, truth = write_episode(long_episode(LONG_S), folder / "episodes")
    video_id = take_in(path, database, instance)
    started = time.perf_counter()
    identify(database)
    identify_s = time.perf_counter() - started
    speakers = identified_speakers(database, {video_id: truth})
    return {
        **_episode(database, video_id, truth),
        "people": int(truth.person.nunique()),
        "local_speakers": len(speakers),
        "identities": asdict(judge(speakers)),
        "taken_for": {
            speaker.local_speaker: f"{speaker.person} -> {speaker.taken_for or speaker.reason}" for speaker in speakers
        },
        "identify_s": round(identify_s, 3),
    }


def _episode(database: Database, video_id: str, truth: pd.DataFrame) -> dict[str, Any]:
    turns = database.frame("turns", video_id, "turn_index")
    [audio] = database.query("SELECT duration_s FROM audio WHERE video_id = %s", [video_id])
    return {
        "seconds": round(audio["duration_s"], 1),
        "speech_s": round(float((truth.end_s - truth.start_s).sum()), 1),
        "der": round(error_rate(turns, truth), 4) if len(truth) else None,
        "local_speakers": int(turns.local_speaker.nunique()),
    }
