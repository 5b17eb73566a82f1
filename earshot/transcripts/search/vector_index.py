"""The index of vectors that search goes by: HNSW (Malkov and Yashunin, 2016) over the passages of one text model.

It is an expression index, `(embedding::halfvec(n)) halfvec_cosine_ops`, of the passages of that model alone: half the bytes of
the table's vectors, by which candidates are found; they are compared by the whole vectors afterwards. It is built concurrently,
so that searching and writing go on meanwhile, and kept by Postgres from then on. Figures: docs/measurements/search.md.
"""

import hashlib

import psycopg
from psycopg import sql

from earshot.storage.database import Connection, Database
from earshot.transcripts.search.text_models import TextModel

# With the ef_search of search_passages() they reach the recall that is wanted among a million: docs/measurements/search.md.
LINKS, CANDIDATES = 16, 128
# What a build may use. A graph that does not fit is built many times as slowly.
MEMORY = "2GB"


def is_indexed(database: Database, model: TextModel) -> bool:
    """Whether the model has its index; one that was given up in the middle of its building is none."""
    rows = database.query(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid AND indisready", [_name(model)]
    )
    return bool(rows)


def build_index(database: Database, model: TextModel) -> None:
    """Build the model's index, from the beginning where one was left unfinished."""
    name, settings = sql.Identifier(_name(model)), {"m": LINKS, "ef_construction": CANDIDATES}
    of_model = sql.SQL("model = {} AND model_revision = {}").format(model.model, model.model_revision)
    statement = sql.SQL(
        "CREATE INDEX CONCURRENTLY {} ON passages USING hnsw ((embedding::halfvec({})) halfvec_cosine_ops) "
        "WITH (m = {}, ef_construction = {}) WHERE {}"
    ).format(name, sql.Literal(model.dimension), *settings.values(), of_model)
    with psycopg.connect(database.url, autocommit=True) as connection:  # CONCURRENTLY is no part of a transaction
        connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(name))
        connection.execute("SELECT set_config('maintenance_work_mem', %s, false)", [MEMORY])
        connection.execute(statement)
        connection.execute("ANALYZE passages")


def drop_index(connection: Connection, model: TextModel) -> None:
    """Remove it, in the caller's transaction; nothing where there is none."""
    connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier(_name(model))))


def index_bytes(database: Database, model: TextModel) -> int:
    """What it takes on disk, 0 where there is none."""
    return database.query("SELECT coalesce(pg_relation_size(to_regclass(%s)), 0) AS bytes", [_name(model)])[0]["bytes"]


def _name(model: TextModel) -> str:
    """Of the model and its revision, in letters that no server folds or cuts."""
    return f"passages_vectors_{hashlib.sha256(f'{model.model} {model.model_revision}'.encode()).hexdigest()[:12]}"
