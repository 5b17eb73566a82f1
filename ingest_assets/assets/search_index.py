"""Asset `search_index`: maintains the vector index and decides which text model is searched. Unpartitioned.

| if | then `maintain()` |
|---|---|
| today's text model has embedded every searched video, but is not searched itself | indexes it and switches search to it |
| there are passages of a model that is neither searched nor today's | removes them with their index |
| the searched model has INDEXED_FROM passages and no index | builds the index |

So all processes switch to a new text model at once, and no search ever mixes two. Until then they search the old one, even a
process that was started with the new one. The sensor `search_upkeep` and `earshot ingest` start this asset when needed.
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
from ingest_assets.presentation.metadata import rounded
from resources.database import DatabaseResource

# Comparing fewer passages one by one takes 15 ms (docs/measurements/search.md).
INDEXED_FROM = 10_000
LOCK = "search_index"


@dataclass(frozen=True)
class Plan:
    """What to do: a model to switch to, models to remove, and the searched model if it needs an index."""

    switch: TextModel | None = None
    remove: tuple[TextModel, ...] = ()
    index: TextModel | None = None

    @property
    def description(self) -> str:
        """The plan in words, "" if there is nothing to do."""
        parts = [
            f"{self.switch.model} has been run over every video and takes over" if self.switch else "",
            f"passages of {', '.join(model.model for model in self.remove)} are left over" if self.remove else "",
            f"{self.index.model} has no index" if self.index else "",
        ]
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class IndexUpkeep:
    """Models switched (0 or 1), passages removed, seconds of building; then the number of searched passages and index bytes."""

    switched: int
    removed: int
    build_s: float
    passages: int
    index_bytes: int


@asset(
    group_name="library",
    code_version="1",
    deps=[text_embeddings],
    kinds={"postgres"},
    description="The vector index and the searched text model: a new model takes over when it has embedded every video.\n\n"
    "It has no rows of its own: it indexes those of `passages`.",
    tags={"earshot/per": "library"},
)
def search_index(database: DatabaseResource) -> MaterializeResult:
    done = maintain(database.open(), model_set(read_settings()).text)
    figures = asdict(done)
    build_s = MetadataValue.float(rounded("build_s", figures.pop("build_s")))
    counts = {key: MetadataValue.int(value) for key, value in figures.items()}
    return MaterializeResult(metadata={**counts, "build_s": build_s})


def plan(database: Database, today: Model) -> Plan:
    """The plan for a library whose new passages are embedded with the model `today`."""
    models = list_text_models(database)
    searched = next((model for model in models if model.searched), None)
    if searched is None:
        return Plan()
    rest = [model for model in models if model != searched]
    new = next((model for model in rest if (model.model, model.model_revision) == (today.name, today.revision)), None)
    complete = new is not None and not count_missing(database, new)
    if complete:
        return Plan(switch=new, remove=tuple(model for model in models if model != new))
    unused = tuple(model for model in rest if model != new)
    needs_index = _has_many(database, searched) and not is_indexed(database, searched)
    return Plan(remove=unused, index=searched if needs_index else None)


def maintain(database: Database, today: Model) -> IndexUpkeep:
    """Carry out the plan; one process at a time."""
    with lock(database.url, LOCK):
        todo, started = plan(database, today), time.monotonic()
        to_index = todo.switch or todo.index
        if to_index and _has_many(database, to_index) and not is_indexed(database, to_index):
            build_index(database, to_index)
        build_s = time.monotonic() - started
        removed = _switch_and_remove(database, todo.switch, todo.remove)
        return _summarize(database, int(todo.switch is not None), removed, build_s)


def _has_many(database: Database, model: TextModel) -> bool:
    rows = database.query(
        "SELECT 1 FROM passages WHERE model = %(model)s AND model_revision = %(model_revision)s LIMIT 1 OFFSET %(from)s",
        {**model.columns, "from": INDEXED_FROM - 1},
    )
    return bool(rows)


def _switch_and_remove(database: Database, new: TextModel | None, unused: Sequence[TextModel]) -> int:
    """Do both in one transaction, so that no search sees half of it; returns the number of removed passages."""
    if new is None and not unused:
        return 0
    with database.connect() as connection:
        if new is not None:
            switch_to(connection, new)
        removed = 0
        for model in unused:
            drop_index(connection, model)
            of_model = "model = %(model)s AND model_revision = %(model_revision)s"
            removed += connection.execute(f"DELETE FROM passages WHERE {of_model}", model.columns).rowcount  # noqa: S608
            connection.execute(f"DELETE FROM text_models WHERE {of_model}", model.columns)  # noqa: S608
    return removed


def _summarize(database: Database, switched: int, removed: int, build_s: float) -> IndexUpkeep:
    searched = next((model for model in list_text_models(database) if model.searched), None)
    [counted] = database.query("SELECT count(*) AS passages FROM searched_passages")
    size = index_bytes(database, searched) if searched else 0
    return IndexUpkeep(switched, removed, build_s, counted["passages"], size)
