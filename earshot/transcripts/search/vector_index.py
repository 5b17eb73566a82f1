"""The vector index of search: HNSW (Malkov and Yashunin, 2016) over the passages of one text model.

It is a partial expression index, `(embedding::halfvec(n)) halfvec_cosine_ops`, with half the bytes of the table's vectors. It
finds candidates, which are then compared by their full vectors. It is built concurrently, without blocking searches or writes;
afterwards Postgres keeps it up to date. Figures: docs/measurements/search.md.
"""

import hashlib

from psycopg import sql

from earshot.storage.database import Connection, Database
from earshot.storage.outages import connect
from earshot.transcripts.search.text_models import TextModel

# With search_passages()'s ef_search, these reach the target recall for a million passages: docs/measurements/search.md.
LINKS, CANDIDATES = 16, 128
# Memory for a build. A graph that does not fit takes many times as long.
MEMORY = "2GB"


def is_indexed(database: Database, model: TextModel) -> bool:
    """Whether the model has a valid index; an unfinished build does not count."""
    rows = database.query(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid AND indisready", [_name(model)]
    )
    return bool(rows)


def build_index(database: Database, model: TextModel) -> None:
    """Build the model's index, replacing an unfinished one."""
    name, settings = sql.Identifier(_name(model)), {"m": LINKS, "ef_construction": CANDIDATES}
    of_model = sql.SQL("model = {} AND model_revision = {}").format(model.model, model.model_revision)
    statement = sql.SQL(
        "CREATE INDEX CONCURRENTLY {} ON passages USING hnsw ((embedding::halfvec({})) halfvec_cosine_ops) "
        "WITH (m = {}, ef_construction = {}) WHERE {}"
    ).format(name, sql.Literal(model.dimension), *settings.values(), of_model)
    with connect(database.url, autocommit=True) as connection:  # CONCURRENTLY must not run in a transaction
        connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(name))
        connection.execute("SELECT set_config('maintenance_work_mem', %s, false)", [MEMORY])
        connection.execute(statement)
        connection.execute("ANALYZE passages")


def drop_index(connection: Connection, model: TextModel) -> None:
    """Drop the model's index, if any, in the caller's transaction."""
    connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier(_name(model))))


def index_bytes(database: Database, model: TextModel) -> int:
    """The size of the model's index on disk, 0 if there is none."""
    return database.query("SELECT coalesce(pg_relation_size(to_regclass(%s)), 0) AS bytes", [_name(model)])[0]["bytes"]


def _name(model: TextModel) -> str:
    """The index's name for this model and revision: short, and lower case, so that no server folds or truncates it."""
    return f"passages_vectors_{hashlib.sha256(f'{model.model} {model.model_revision}'.encode()).hexdigest()[:12]}"
