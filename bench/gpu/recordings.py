"""The material: recordings of three lengths, composed from the demo's episodes, and passages.

Both are stored in the work folder before anything is timed.
"""

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.corpora.composed import write_long
from bench.corpora.corpus import real_texts
from bench.gpu.findings import Findings, work_folder, write_json


def lengths() -> tuple[float, float, float]:
    """Minutes of the short, the middle and the long recording."""
    short, middle, long = (float(minutes) for minutes in os.environ.get("GPU_MINUTES", "10,30,120").split(","))
    return short, middle, long


def recording(minutes: float) -> Path:
    """The recording of this length; composed unless it exists."""
    folder = work_folder() / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{minutes:g}_minutes.mp3"
    return path if path.exists() else write_long(folder, minutes)


def passages() -> list[str]:
    """Real English passages; read from the packages' sources unless the file exists."""
    path = work_folder() / "passages.json"
    if not path.exists():
        write_json(path, real_texts())
    return json.loads(path.read_text())


def recordings(found: Findings) -> None:
    """Make all three recordings and the passages before anything is timed."""
    began = time.monotonic()
    with ProcessPoolExecutor() as pool:
        texts = pool.submit(passages)
        paths = list(pool.map(recording, sorted(lengths(), reverse=True)))
        texts.result()
    found.tell(f"{len(paths)} recordings in {time.monotonic() - began:.1f} s")
