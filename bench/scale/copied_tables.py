"""The tables to copy, and how a copy's rows differ from the original's, for bench/scale/big_library.py.

`EARSHOT`, `PASSAGES` and `DAGSTER` list every table in which an ingest stores rows, in the order of their references, and the
columns that differ in a copy. All other columns are copied unchanged, so a new column needs an entry only if it depends on the
video, the run, a row number or a time.

In the expressions `n` is the copy's number, from 1, `j` counts copies of a row within it, and `o` is the original's row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg import sql

APART_S = 60  # between the runs of two copies
PER_SOURCE = 500  # videos
Changes = Mapping[str, sql.Composable]


@dataclass(frozen=True)
class Table:
    """A table, the condition for the original's rows, and the columns that differ in a copy.

    `number` is the column that numbers the rows. `found` are further expressions over a row, which `changes` use as columns.
    """

    name: str
    where: sql.Composable
    changes: Changes
    number: str = ""
    found: Changes = field(default_factory=dict)


KEY = sql.SQL("'copy-' || lpad(n::text, 7, '0')")
RUN = sql.SQL("md5('run ' || n)::uuid::text")
EARLIER_S = sql.SQL("(%(copies)s - n) * {}").format(APART_S)
SOURCE = sql.SQL("'https://podcasts.invalid/' || (n - 1) / {} || '.xml'").format(PER_SOURCE)

OF_VIDEO = sql.SQL("video_id = %(video)s")
OF_RUN = sql.SQL("run_id = %(run)s")


def column(name: str) -> sql.Composable:
    return sql.Identifier("o", name)


def earlier(name: str) -> sql.Composable:
    """A timestamp, moved back by APART_S for each later copy."""
    return sql.SQL("{} - ({}) * interval '1 s'").format(column(name), EARLIER_S)


def earlier_s(value: sql.Composable) -> sql.Composable:
    """Like `earlier()`, for seconds since 1970, as a number or text."""
    return sql.SQL("({}::numeric - {})").format(value, EARLIER_S)


def digest(value: sql.Composable) -> sql.Composable:
    """A different digest for each copy."""
    return sql.SQL("encode(sha256(convert_to({} || n, 'UTF8')), 'hex')").format(value)


def moved(name: str) -> sql.Composable:
    """A vector near the original's."""
    return sql.SQL(
        "{0} + (SELECT array_agg(random_normal(0, 0.02)) FROM generate_series(1, vector_dims({0}) + 0 * n * j))::vector"
    ).format(column(name))


def numbered(name: str, table: str) -> sql.Composable:
    """The copy's counterpart of a row number of this table."""
    added, each = sql.Placeholder(f"{table}_added"), sql.Placeholder(f"{table}_each")
    return sql.SQL("{} + {} + (n - 1) * {}").format(column(name), added, each)


def replaced(value: sql.Composable, *pairs: tuple[sql.Composable, sql.Composable]) -> sql.Composable:
    """The text with each pair's first replaced by its second, in order."""
    for old, new in pairs:
        value = sql.SQL("replace({}, {}, {})").format(value, old, new)
    return value


def renamed(name: str) -> sql.Composable:
    """The text with the copy's run id and video key."""
    return replaced(column(name), (sql.Placeholder("run"), RUN), (sql.Placeholder("video"), KEY))


# --- Earshot's tables, in the order of their references ------------------------------------------------------------------

BY_KEY: Changes = {"video_id": KEY}
VECTOR: Changes = {**BY_KEY, "embedding": moved("embedding"), "audio_sha256": digest(column("audio_sha256"))}
MADE_FROM = sql.SQL("(SELECT coalesce(jsonb_object_agg(key, {}), '{{}}') FROM jsonb_each_text(o.made_from))").format(
    digest(sql.SQL("value"))
)

EARSHOT = (
    Table(
        "videos",
        OF_VIDEO,
        {
            **BY_KEY,
            "url": sql.SQL("{} || '#' || n").format(SOURCE),
            "source": SOURCE,
            "title": sql.SQL("'Copy ' || n"),
            "published_at": earlier("registered_at"),
            "registered_at": earlier("registered_at"),
            "updated_at": earlier("updated_at"),
        },
    ),
    Table("audio", OF_VIDEO, {**BY_KEY, "uri": renamed("uri"), "samples_sha256": digest(column("samples_sha256"))}),
    *(Table(name, OF_VIDEO, BY_KEY) for name in ("transcripts", "segments", "words", "turns", "exclusive_turns")),
    Table("voice_embeddings", OF_VIDEO, VECTOR),
    Table("local_speakers", OF_VIDEO, {**BY_KEY, "centroid": moved("centroid")}),
    Table("identities", OF_VIDEO, BY_KEY),
    Table(
        "asset_timings",
        OF_VIDEO,
        {**BY_KEY, "timing_id": numbered("timing_id", "asset_timings"), "run_id": RUN, "recorded_at": earlier("recorded_at")},
        number="timing_id",
    ),
    Table(
        "stage_outputs",
        OF_VIDEO,
        {
            **BY_KEY,
            "timing_id": numbered("timing_id", "asset_timings"),
            "content": digest(column("content")),
            "made_from": MADE_FROM,
            "current_at": earlier("current_at"),
        },
    ),
)
PASSAGES = Table(
    "passages",
    OF_VIDEO,
    {
        **BY_KEY,
        "embedding": moved("embedding"),
        "passage_index": sql.SQL("o.passage_index + (j - 1) * (SELECT count(*) FROM o)"),
    },
)

# --- Dagster's tables ----------------------------------------------------------------------------------------------------

# In an event's JSON: its time, and the id and time of the materialization that a check evaluated; 0 if there is none.
AT = sql.SQL("coalesce(substring({} FROM '\"timestamp\": ([0-9.]+), \"user_message\"'), '0')")
TARGET = sql.SQL("coalesce(substring({} FROM '\"storage_id\": ([0-9]+), \"timestamp\"'), '0')::bigint")
TARGET_AT = sql.SQL("coalesce(substring({} FROM '\"storage_id\": [0-9]+, \"timestamp\": ([0-9.]+)'), '0')")
AT_TEXT = sql.SQL("'\"timestamp\": ' || {} || ', \"user_message\"'")
TARGET_TEXT = sql.SQL("'\"storage_id\": ' || {} || ', \"timestamp\": ' || {}")


def found(name: str) -> Changes:
    """The values in this column's JSON that `told()` replaces."""
    text = sql.Identifier(name)
    return {"told_at": AT.format(text), "target": TARGET.format(text), "target_at": TARGET_AT.format(text)}


def told(name: str) -> sql.Composable:
    """An event's JSON with the copy's run, video, ids and times."""
    at, target, target_at = column("told_at"), column("target"), column("target_at")
    of_target = TARGET_TEXT.format(numbered("target", "event_logs"), earlier_s(target_at))
    return replaced(
        renamed(name),
        (AT_TEXT.format(at), AT_TEXT.format(earlier_s(at))),
        (TARGET_TEXT.format(target, target_at), of_target),
    )


DAGSTER = (
    Table(
        "dynamic_partitions",
        sql.SQL("partition = %(video)s"),
        {
            "id": numbered("id", "dynamic_partitions"),
            "partition": KEY,
            "create_timestamp": earlier("create_timestamp"),
        },
        number="id",
    ),
    Table(
        "runs",
        OF_RUN,
        {
            "id": numbered("id", "runs"),
            "run_id": RUN,
            "partition": KEY,
            "run_body": renamed("run_body"),
            **{name: earlier(name) for name in ("create_timestamp", "update_timestamp")},
            **{name: earlier_s(column(name)) for name in ("start_time", "end_time")},
        },
        number="id",
    ),
    Table("run_tags", OF_RUN, {"id": numbered("id", "run_tags"), "run_id": RUN, "value": renamed("value")}, number="id"),
    Table(
        "event_logs",
        OF_RUN,
        {
            "id": numbered("id", "event_logs"),
            "run_id": RUN,
            "event": told("event"),
            "timestamp": earlier("timestamp"),
            "partition": sql.SQL("CASE WHEN o.partition IS NOT NULL THEN {} END").format(KEY),
        },
        number="id",
        found=found("event"),
    ),
    Table(
        "asset_event_tags",
        sql.SQL("event_id IN (SELECT id FROM event_logs WHERE run_id = %(run)s)"),
        {
            "id": numbered("id", "asset_event_tags"),
            "event_id": numbered("event_id", "event_logs"),
            "value": digest(column("value")),
            "event_timestamp": earlier("event_timestamp"),
        },
        number="id",
    ),
    Table(
        "asset_check_executions",
        OF_RUN,
        {
            "id": numbered("id", "asset_check_executions"),
            "run_id": RUN,
            "evaluation_event": told("evaluation_event"),
            "evaluation_event_timestamp": earlier("evaluation_event_timestamp"),
            "evaluation_event_storage_id": numbered("evaluation_event_storage_id", "event_logs"),
            "materialization_event_storage_id": numbered("materialization_event_storage_id", "event_logs"),
            "create_timestamp": earlier("create_timestamp"),
        },
        number="id",
        found=found("evaluation_event"),
    ),
)
