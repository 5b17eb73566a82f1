"""Latencies of Earshot's page: the time to the first byte of each page and of the API, on a library of 100,000 videos.

Makes a temporary library as bench/scale/scale.py does, and gives its videos the passages of bench/search/search.py, which have
the words and vectors of real text, titles of their words, dates over the last thousand days, and an index of vectors; or only
reads the library of EARSHOT_HOME (`--here`). A client asks a real `earshot page` over one connection, each time for another
video or question. Prints a table, and writes bench/results/page-<commit>.json.

Not measured: what a browser makes of the answers, answers under load, and transcripts, because these passages have no words in
table `words`.
"""

import argparse
import http.client
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date, timedelta
from itertools import islice
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import psutil
import psycopg
from psycopg import sql

from bench.corpora.corpus import Corpus, grown, real_corpus
from bench.harness.figures import measured_on, own_home, write
from bench.harness.server import free_port
from bench.scale.backfills import EARSHOT
from bench.scale.scale import PASSAGES, VIDEOS, make
from bench.search.search import by_video, passage_rows
from earshot.cli.output import print_table
from earshot.config.settings import read_settings
from earshot.models.device import cpu_name
from earshot.storage.catalog.videos import stream_keys
from earshot.storage.database import Connection, Database, open_database
from earshot.transcripts.search.text_models import searched_model
from earshot.transcripts.search.vector_index import build_index, drop_index

ASKED, WARM_UP = 60, 5
AT_ONCE = 500  # videos written in one transaction
DAYS = 1000  # over which the videos are published
STARTUP_S = 60.0

Row = dict[str, Any]

# Each with the values that are put in: a video, a question of several words, one of its words, four of them in a row.
ADDRESSES = (
    "/",
    "/search?q={words}",
    "/search?q=%22{phrase}%22",
    "/search?q={word}&words=true",
    "/search?q={words}&since={since}",
    "/api/v1/search/facets?q={words}",
    "/videos",
    "/videos?state=failed",
    "/videos?q={word}",
    "/people",
    "/sources",
    "/performance",
    "/videos/{video}",
    "/api/v1/videos/{video}/timings",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=VIDEOS, help="default: %(default)s")
    parser.add_argument("--passages", type=int, default=PASSAGES, help="of all of them; default: %(default)s")
    parser.add_argument("--here", action="store_true", help="measure the library of EARSHOT_HOME instead")
    arguments = parser.parse_args()
    os.environ["EARSHOT_DEVICE"] = "cpu"
    corpus = None if arguments.here else real_corpus()  # kept in the user's home
    with own_home() if corpus else nullcontext(read_settings().home) as home:
        os.environ["EARSHOT_SOURCES"] = str(home / "sources.yaml")
        if corpus:
            make(home, arguments.videos, arguments.videos)
            fill(open_database(), corpus, arguments.passages)
        figures = {**measured_on(cpu_name()), "load_before": os.getloadavg()[0], **measure(open_database())}
    report(figures)
    print(f"Kept in {write(figures, 'page-')}.")


def fill(database: Database, base: Corpus, count: int) -> None:
    """Give the videos these passages, titles and dates, and build the vector index as the asset `search_index` does."""
    model = searched_model(database)
    assert model is not None
    with database.connect() as connection:
        drop_index(connection, model)  # if there is one: writing into it takes thirty times as long
        connection.execute("TRUNCATE passages")
    keys = list(stream_keys(database))
    each = count // len(keys)
    videos = zip(keys, by_video(grown(base, count), each), strict=False)
    while written := list(islice(videos, AT_ONCE)):
        with database.connect() as connection:
            copy_rows(connection, pd.concat([passage_rows(part).assign(video_id=key) for key, part in written]))
    database.query(_TITLES, [DAYS])
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    build_index(database, model)


def copy_rows(connection: Connection, rows: pd.DataFrame) -> None:
    """Add these rows to the passages: in one statement, since a hundred thousand take half an hour."""
    columns = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM passages LIMIT 0").format(columns))
        types = [column.type_code for column in cursor.description or ()]
        with cursor.copy(sql.SQL("COPY passages ({}) FROM STDIN (FORMAT BINARY)").format(columns)) as copy:
            copy.set_types(types)
            for row in zip(*(rows[column].tolist() for column in rows), strict=True):
                copy.write_row(row)


_TITLES = """
    UPDATE videos v SET title = left(p.text, 60), published_at = now() - number %% %s * interval '1 day'
    FROM (SELECT *, row_number() OVER (ORDER BY video_id) AS number FROM passages WHERE passage_index = 0) p
    WHERE p.video_id = v.video_id
"""


def measure(database: Database) -> Row:
    """The latencies of every address, and the memory of the server's process after them."""
    counted = database.query("SELECT (SELECT count(*) FROM videos) AS videos, (SELECT count(*) FROM passages) AS passages")
    values = list(questions(database))
    with serving() as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        latencies = {address: latency(connection, address, values) for address in ADDRESSES}
        memory = process.memory_info().rss
    return {"library": counted[0], "latencies": latencies, "memory_bytes": memory}


def questions(database: Database) -> Iterator[dict[str, str]]:
    """For each request a video, and words that are said in a passage of another one."""
    rows = database.query(
        "SELECT video_id, text FROM passages TABLESAMPLE SYSTEM (1) ORDER BY random() LIMIT %s", [ASKED + WARM_UP]
    )
    since = date.today() - timedelta(days=30)
    for row in rows:
        words = re.findall(r"\w{3,}", row["text"]) or ["bridge"]
        yield {
            "video": row["video_id"],
            "words": quote(" ".join(words[:8])),
            "word": quote(max(words, key=len)),
            "phrase": quote(" ".join(re.findall(r"[A-Za-z]+", row["text"])[3:7] or words)),
            "since": str(since),
        }


def latency(connection: http.client.HTTPConnection, address: str, values: Sequence[dict[str, str]]) -> Row:
    """Milliseconds to the first byte: the median, and the 95th percentile."""
    taken = [first_byte_s(connection, address.format(**value)) for value in values][WARM_UP:]
    return {"p50_ms": float(np.median(taken)) * 1e3, "p95_ms": float(np.percentile(taken, 95)) * 1e3, "asked": len(taken)}


def first_byte_s(connection: http.client.HTTPConnection, address: str) -> float:
    begun = time.perf_counter()
    connection.request("GET", address)
    answer = connection.getresponse()
    seconds = time.perf_counter() - begun
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{address}: {answer.status} {body[:300]!r}")
    return seconds


@contextmanager
def serving() -> Iterator[tuple[psutil.Process, int]]:
    """`earshot page` for the block, once its text model is loaded; its process and port."""
    port = free_port()
    process = subprocess.Popen([EARSHOT, "page", "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTUP_S
        while not answers(port):
            if time.monotonic() > deadline:
                raise RuntimeError("the page does not answer")
            time.sleep(0.2)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    try:
        first_byte_s(http.client.HTTPConnection("127.0.0.1", port, timeout=60), "/api/v1/search?q=bridge")
    except OSError:
        return False
    return True


def report(figures: Row) -> None:
    rows = [(address, f"{row['p50_ms']:.0f}", f"{row['p95_ms']:.0f}") for address, row in figures["latencies"].items()]
    print_table([("first byte", "left"), ("median ms", "right"), ("p95 ms", "right")], rows)
    library, memory = figures["library"], figures["memory_bytes"]
    print(f"{library['videos']} videos, {library['passages']} passages; memory of the page {memory / 1e6:.0f} MB.")


if __name__ == "__main__":
    main()
