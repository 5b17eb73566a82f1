"""What is measured with: recordings of three lengths, composed of the demo's episodes, and passages.

Both are kept in the work folder, and made before anything is timed.
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
    """Minutes of a short, a middle and a long one."""
    short, middle, long = (float(minutes) for minutes in os.environ.get("GPU_MINUTES", "10,30,120").split(","))
    return short, middle, long


def recording(minutes: float) -> Path:
    """The one of this length, composed unless it is there."""
    folder = work_folder() / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{minutes:g}_minutes.mp3"
    return path if path.exists() else write_long(folder, minutes)


def passages() -> list[str]:
    """Real passages of English, read from the packages' sources unless they are there."""
    path = work_folder() / "passages.json"
    if not path.exists():
        write_json(path, real_texts())
    return json.loads(path.read_text())


def recordings(found: Findings) -> None:
    """All three, and the passages, before anything is timed."""
    began = time.monotonic()
    with ProcessPoolExecutor() as pool:
        texts = pool.submit(passages)
        made = list(pool.map(recording, sorted(lengths(), reverse=True)))
        texts.result()
    found.tell(f"{len(made)} recordings in {time.monotonic() - began:.1f} s")
