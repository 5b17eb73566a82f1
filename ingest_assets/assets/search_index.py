"""Asset `search_index`: what search needs beyond passages, kept in order. Unpartitioned; `maintain()` is all of it.

| where | what is done |
|---|---|
| today's text model is not searched, and has been run over every video that is | it gets its index, then it is searched |
| there are passages of a model that is neither searched nor today's | they are removed, with their index |
| the searched model has INDEXED_FROM passages and no index | it is built |

So a new text model takes over at once and for everybody, and no search ever mixes two. Until then the old one is searched, also
by a process that was started with the new one. The sensor `search_upkeep` starts it by need, and so does `earshot ingest`.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from dagster import MaterializeResult, MetadataValue, asset

from earshot.config.settings import read_settings
from earshot.models.registry import Model, model_set
from earshot.storage.database import Database
from earshot.storage.locks import lock
from earshot.transcripts.search.text_models import TextModel, count_missing, list_text_models, switch_to
from earshot.transcripts.search.vector_index import build_index, drop_index, index_bytes, is_indexed
from ingest_assets.assets.text_embeddings import text_embeddings
from resources.database import DatabaseResource

# Fewer are compared one by one in 15 ms (docs/measurements/search.md).
INDEXED_FROM = 10_000
LOCK = "search_index"


@dataclass(frozen=True)
class Plan:
    """What there is to do: a model to switch to, models to remove, and the searched model where it wants an index."""

    switch: TextModel | None = None
    remove: tuple[TextModel, ...] = ()
    index: TextModel | None = None

    @property
    def told(self) -> str:
        """It in words, "" where there is nothing to do."""
        parts = [
            f"{self.switch.model} has been run over every video and takes over" if self.switch else "",
            f"passages of {', '.join(model.model for model in self.remove)} are left over" if self.remove else "",
            f"{self.index.model} has no index" if self.index else "",
        ]
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class Upkeep:
    """What was done, in figures: whether another model is searched now, passages removed, seconds of building, and what is."""

    switched: int
    removed: int
    build_s: float
    passages: int
    index_bytes: int


@asset(
    group_name="video",
    code_version="1",
    deps=[text_embeddings],
    kinds={"postgres"},
    description="The index of vectors, and which text model is searched: a new one takes over when it has every video.",
)
def search_index(database: DatabaseResource) -> MaterializeResult:
    done = maintain(database.open(), model_set(read_settings()).text)
    return MaterializeResult(metadata={key: MetadataValue.float(float(value)) for key, value in asdict(done).items()})


def plan(database: Database, today: Model) -> Plan:
    """What there is to do in a library whose passages are made with the model `today`."""
    models = list_text_models(database)
    searched = next((model for model in models if model.searched), None)
    if searched is None:
        return Plan()
    rest = [model for model in models if model != searched]
    new = next((model for model in rest if (model.model, model.model_revision) == (today.name, today.revision)), None)
    complete = new is not None and not count_missing(database, new)
    if complete:
        return Plan(switch=new, remove=tuple(model for model in models if model != new))
    left_over = tuple(model for model in rest if model != new)
    wants_index = _has_many(database, searched) and not is_indexed(database, searched)
    return Plan(remove=left_over, index=searched if wants_index else None)


def maintain(database: Database, today: Model) -> Upkeep:
    """Do what there is to do; one process at a time."""
    with lock(database.url, LOCK):
        todo, began = plan(database, today), time.monotonic()
        wanting = todo.switch or todo.index
        if wanting and _has_many(database, wanting) and not is_indexed(database, wanting):
            build_index(database, wanting)
        built_s = time.monotonic() - began
        removed = _switch_and_remove(database, todo.switch, todo.remove)
        return _told(database, int(todo.switch is not None), removed, built_s)


def _has_many(database: Database, model: TextModel) -> bool:
    rows = database.query(
        "SELECT 1 FROM passages WHERE model = %(model)s AND model_revision = %(model_revision)s LIMIT 1 OFFSET %(from)s",
        {**model.columns, "from": INDEXED_FROM - 1},
    )
    return bool(rows)


def _switch_and_remove(database: Database, new: TextModel | None, left_over: Sequence[TextModel]) -> int:
    """In one transaction, so that no search is between them; how many passages went."""
    if new is None and not left_over:
        return 0
    with database.connect() as connection:
        if new is not None:
            switch_to(connection, new)
        removed = 0
        for model in left_over:
            drop_index(connection, model)
            of_model = "model = %(model)s AND model_revision = %(model_revision)s"
            removed += connection.execute(f"DELETE FROM passages WHERE {of_model}", model.columns).rowcount  # noqa: S608
            connection.execute(f"DELETE FROM text_models WHERE {of_model}", model.columns)  # noqa: S608
    return removed


def _told(database: Database, switched: int, removed: int, build_s: float) -> Upkeep:
    searched = next((model for model in list_text_models(database) if model.searched), None)
    [counted] = database.query("SELECT count(*) AS passages FROM searched_passages")
    size = index_bytes(database, searched) if searched else 0
    return Upkeep(switched, removed, build_s, counted["passages"], size)
