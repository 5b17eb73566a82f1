"""Text models: which of them have passages, and which one is searched (table `text_models`).

Vectors of two models are never compared. Passages of a new model are added next to the old ones, and search keeps using the
old model. `count_missing()` counts the videos that the new model still lacks; ingest_assets/assets/search_index.py decides when
`switch_to()` switches all searches to it at once. A library's first model is searched from its first passage on.
"""

from dataclasses import dataclass

from earshot.common.errors import ModelUnavailable
from earshot.models.registry import SETS, Model
from earshot.storage.database import Connection, Database


@dataclass(frozen=True)
class TextModel:
    """One row: a model at one revision, and whether it is the searched one."""

    model: str
    model_revision: str
    dimension: int
    searched: bool

    @property
    def columns(self) -> dict[str, str]:
        """The model as column values of other tables."""
        return {"model": self.model, "model_revision": self.model_revision}

    @property
    def described(self) -> Model:
        """The model's definition; raises ModelUnavailable if this version of the code no longer has it."""
        for models in SETS.values():
            if (models.text.name, models.text.revision) == (self.model, self.model_revision):
                return models.text
        raise ModelUnavailable(
            f"The library is searched with text model {self.model} {self.model_revision}, which this version does not have.",
            "Materialize `text_embeddings` of all videos (a backfill in the UI), which brings in today's model.",
        )


def list_text_models(database: Database) -> list[TextModel]:
    """All text models, the searched one first."""
    rows = database.query(
        "SELECT model, model_revision, dimension, searched_since IS NOT NULL AS searched FROM text_models "
        "ORDER BY searched_since IS NULL, model, model_revision"
    )
    return [TextModel(**row) for row in rows]


def searched_model(database: Database) -> TextModel | None:
    """The searched text model; None in a library without passages."""
    return next((model for model in list_text_models(database) if model.searched), None)


def register_text_model(database: Database, model: Model) -> None:
    """Add the model if it is missing, so that its passages can be stored; a library's first model becomes the searched one."""
    registered = {(known.model, known.model_revision) for known in list_text_models(database)}
    if (model.name, model.revision) in registered:
        return
    with database.connect() as connection:
        connection.execute("LOCK TABLE text_models IN SHARE ROW EXCLUSIVE MODE")  # two first videos may race
        connection.execute(
            "INSERT INTO text_models (model, model_revision, dimension, searched_since) "
            "SELECT %s, %s, %s, CASE WHEN NOT EXISTS (SELECT FROM text_models WHERE searched_since IS NOT NULL) THEN now() END "
            "ON CONFLICT (model, model_revision) DO NOTHING",
            [model.name, model.revision, model.dimension],
        )


def count_missing(database: Database, model: TextModel) -> int:
    """The number of searched videos on which this model has not run; those of which only captions are searched do not count."""
    rows = database.query(
        """
        SELECT count(DISTINCT s.video_id) AS videos FROM searched_passages s
        WHERE NOT EXISTS (SELECT FROM captions c
                WHERE (c.video_id, c.model, c.model_revision) = (s.video_id, s.model, s.model_revision))
            AND NOT EXISTS (SELECT FROM passages p WHERE p.video_id = s.video_id AND p.model = %(model)s
                AND p.model_revision = %(model_revision)s)
            AND NOT EXISTS (SELECT FROM asset_timings t WHERE t.video_id = s.video_id AND t.asset = 'text_embeddings'
                AND t.model = %(model)s AND t.model_revision = %(model_revision)s)
        """,
        model.columns,
    )
    return rows[0]["videos"]


def count_unsearched(database: Database) -> int:
    """The number of videos that only have passages of models that are not searched."""
    rows = database.query(
        "SELECT count(DISTINCT p.video_id) AS videos FROM text_models m JOIN passages p USING (model, model_revision) "
        "WHERE m.searched_since IS NULL AND NOT EXISTS (SELECT FROM searched_passages s WHERE s.video_id = p.video_id)"
    )
    return rows[0]["videos"]


def switch_to(connection: Connection, model: TextModel) -> None:
    """Make this the only searched model when the caller's transaction commits."""
    connection.execute("UPDATE text_models SET searched_since = NULL")
    connection.execute(
        "UPDATE text_models SET searched_since = now() WHERE model = %(model)s AND model_revision = %(model_revision)s",
        model.columns,
    )
