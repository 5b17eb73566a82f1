"""`python -m bench.scale.backups [VIDEOS]`: seconds and memory of `earshot backup`, again, and of `earshot restore`.

One short recording is ingested and copied (bench/scale/big_library.py), ten passages a video. Each copy has an audio file of
AUDIO_BYTES, of which only the beginning is sound: what is measured is the copying, and the rate with it. The backup lies on the
same disk. The restored library is compared with the first one by its numbers of rows.

Prints the figures and the machine's description as JSON, and writes nothing.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from bench.corpora.composed import write_first
from bench.harness.figures import measured_on, own_home
from bench.harness.per_size import apart
from bench.scale.big_library import copy_video
from bench.scale.scale import Row, call_of, ingest_beside
from earshot.models.device import cpu_name
from earshot.storage.database import open_database
from earshot.storage.server import stop_embedded

VIDEOS = 1_000
PASSAGES_EACH = 10
AUDIO_BYTES = 1 << 20


def main() -> None:
    videos = int(sys.argv[1]) if sys.argv[1:] else VIDEOS
    os.environ["EARSHOT_DEVICE"] = "cpu"
    with own_home() as home:
        os.environ["EARSHOT_SOURCES"] = str(home / "sources.yaml")
        apart(ingest_beside, write_first(home))
        copy_video(videos - 1, videos * PASSAGES_EACH)
        write_audio(home)
        rows = count_rows()
        figures: Row = {name: call_of(["backup", str(home / "backup")], home / "told") for name in ("backup", "again")}
        figures["size"] = sum(file.stat().st_size for file in (home / "backup").rglob("*") if file.is_file())
        figures["restore"] = restore(home, rows)
    print(json.dumps({**measured_on(cpu_name()), "load": os.getloadavg()[0], "videos": videos, **rows, **figures}, indent=1))


def write_audio(home: Path) -> None:
    """A file for each row of table `audio`, each with other content."""
    for row in open_database().query("SELECT uri FROM audio"):
        file = home / "media" / row["uri"]
        begin = file.read_bytes() if file.exists() else b""
        file.write_bytes(begin + os.urandom(AUDIO_BYTES - len(begin)))


def count_rows() -> Row:
    [row] = open_database().query(
        "SELECT (SELECT count(*) FROM words) AS words, (SELECT count(*) FROM passages) AS passages, "
        "(SELECT count(*) FROM asset_timings) AS timings, (SELECT count(*) FROM audio) AS audio"
    )
    return row


def restore(home: Path, rows: Row) -> Row:
    """Restore into a second home, and check that it has as many rows."""
    second = home.with_name(f"{home.name}-restored")
    os.environ["EARSHOT_HOME"] = str(second)
    try:
        measured = call_of(["restore", str(home / "backup")], home / "told")
        if (restored := count_rows()) != rows:
            raise SystemExit(f"Restored {restored}, not {rows}.")
        return measured
    finally:
        stop_embedded(second)
        shutil.rmtree(second)
        os.environ["EARSHOT_HOME"] = str(home)


if __name__ == "__main__":
    main()
