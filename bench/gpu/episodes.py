"""The demo's episodes on both devices: runs `earshot ingest` as a user would, and compares the results.

The CPU computes in int8, the GPU in float16, so some words differ. `ALIKE` means at most 5 % different words, turns that differ
by at most 5 % of speech, and the same number of speakers.
"""

import json
import os
import re
import tempfile
import time
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpora.episodes import EPISODES, write_episodes
from bench.gpu.device import earshot
from bench.gpu.findings import Findings, read_json, tell_stages, work_folder
from bench.harness.figures import own_home
from earshot.config.settings import read_settings
from earshot.storage.database import Database, open_database
from earshot.transcripts.evaluation.speakers import diarization_errors

Results = dict[str, Any]  # of one video, ready for JSON
MAX_DIFFERENCE = 0.05


def on_cpu(found: Findings) -> None:
    """The reference for the GPU, on half of the CPU's cores, because other steps run at the same time."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[: max(1, len(cores) // 2)])
    with own_home():
        _ingest(found, "cpu")


def episodes(found: Findings) -> None:
    """On the device, with a search and the timings; compared with the CPU's results if they exist."""
    with own_home():
        ours = _ingest(found, read_settings().device)
        _ask(found)
    theirs = read_json(work_folder() / "found" / "on_cpu.json").get("data", {}).get("videos", {})
    for name in ours.keys() & theirs.keys():
        _compare(found, name, ours[name], theirs[name])


def _ingest(found: Findings, device: str) -> dict[str, Results]:
    with tempfile.TemporaryDirectory() as folder:
        write_episodes(Path(folder))
        began = time.monotonic()
        ended = earshot("ingest", folder, EARSHOT_DEVICE=device)
    print(ended.stdout, ended.stderr)
    found.tell(f"`earshot ingest` on {device}: exit code {ended.returncode}, {time.monotonic() - began:.1f} s in all")
    if ended.returncode:
        found.tell((ended.stderr + ended.stdout).strip()[-600:])
    videos = _results(open_database())
    words = ", ".join(str(len(video["words"])) for video in videos.values())
    found.tell(f"words {words}; speakers {', '.join(str(_speakers(video)) for video in videos.values())}", videos=videos)
    return videos


def _ask(found: Findings) -> None:
    result = earshot("search", EPISODES[-1].question, "--limit", "1")
    found.tell(f"search: exit code {result.returncode}, {' '.join(result.stdout.split())[:150]}")
    rows = json.loads(earshot("timings", "--json").stdout)
    found.tell(f"`earshot timings --json`: {len(rows)} rows", rows=rows)
    tell_stages(found, rows)


def _results(database: Database) -> dict[str, Results]:
    """Each video's results, by title."""
    listed = database.query("SELECT video_id, title, state FROM videos ORDER BY title")
    return {
        video["title"] or video["video_id"]: {"state": video["state"], **_of_video(database, video["video_id"])}
        for video in listed
    }


def _of_video(database: Database, video_id: str) -> Results:
    words, turns = database.frame("words", video_id, "word_index"), database.frame("turns", video_id, "turn_index")
    passages = database.frame("passages", video_id, "passage_index")
    return {
        "words": [text.strip() for text in words.text],
        "word_times": list(zip(words.start_s.round(2), words.end_s.round(2), strict=True)),
        "turns": list(zip(turns.start_s.round(3), turns.end_s.round(3), turns.local_speaker, strict=True)),
        "passages": dict(zip(passages.text, _numbers(passages.embedding), strict=True)),
        "centroids": _numbers(database.frame("local_speakers", video_id, "local_speaker").centroid),
    }


def _numbers(vectors: Any) -> list[list[float]]:
    return [np.asarray(vector, dtype=float).round(5).tolist() for vector in vectors]


def _speakers(video: Results) -> int:
    return len({speaker for _, _, speaker in video["turns"]})


def _compare(found: Findings, name: str, ours: Results, theirs: Results) -> None:
    words, turns = other_words(ours["words"], theirs["words"]), _other_turns(ours, theirs)
    counts = [_speakers(ours), _speakers(theirs)]
    shared = ours["passages"].keys() & theirs["passages"].keys()
    cosines = [float(np.dot(ours["passages"][text], theirs["passages"][text])) for text in shared]
    alike = max(words, turns) <= MAX_DIFFERENCE and counts[0] == counts[1]
    cosine = f"{min(cosines):.4f} at least in {len(cosines)} passages" if cosines else "no passage alike"
    found.tell(
        f"{'ALIKE' if alike else 'DIFFERENT'} {name}: {words:.1%} other words, turns differ by {turns:.1%} of speech, speakers "
        f"{counts[0]} and {counts[1]}; cosine of same passages {cosine}",
        **{f"compared {name}": {"words": words, "turns": turns, "speakers": counts, "cosines": cosines}},
    )


def other_words(ours: list[str], theirs: list[str]) -> float:
    """The share of words without a match in the other text, in order; ignores case and punctuation."""
    left, right = ([re.sub(r"\W", "", word).lower() for word in words] for words in (ours, theirs))
    same = sum(block.size for block in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks())
    longest = max(len(left), len(right))
    return 1 - same / longest if longest else 0.0


def _other_turns(ours: Results, theirs: Results) -> float:
    """The diarization error rate of our turns, taking theirs as the truth."""
    seconds = max((end for _, end, _ in (*ours["turns"], *theirs["turns"])), default=1.0)
    return diarization_errors(theirs["turns"], ours["turns"], seconds).rate or 0.0
