"""Text models of which there are passages, and the one of them that is searched: table `text_models`.

Vectors of two models are never compared, so passages of a new model are brought in beside those of the old one, which goes on
being searched. `count_missing()` counts what the new one still lacks, and `switch_to()` makes it the searched one, at once and
for everybody: ingest_assets/assets/search_index.py says when. The first model of a library is searched from its first passage
on.
"""

from dataclasses import dataclass

from earshot.common.errors import ModelUnavailable
from earshot.models.registry import SETS, Model
from earshot.storage.database import Connection, Database


@dataclass(frozen=True)
class TextModel:
    """One row: a model at one revision, and whether it is the one that is searched."""

    model: str
    model_revision: str
    dimension: int
    searched: bool

    @property
    def columns(self) -> dict[str, str]:
        """It as the columns that tables know it by."""
        return {"model": self.model, "model_revision": self.model_revision}

    @property
    def described(self) -> Model:
        """What the code knows of it; raises ModelUnavailable where that is nothing any more."""
        for models in SETS.values():
            if (models.text.name, models.text.revision) == (self.model, self.model_revision):
                return models.text
        raise ModelUnavailable(
            f"The library is searched with text model {self.model} {self.model_revision}, which this version does not have.",
            "Materialize `text_embeddings` of all videos (a backfill in the UI), which brings in today's model.",
        )


def list_text_models(database: Database) -> list[TextModel]:
    """All of them, the searched one first."""
    rows = database.query(
        "SELECT model, model_revision, dimension, searched_since IS NOT NULL AS searched FROM text_models "
        "ORDER BY searched_since IS NULL, model, model_revision"
    )
    return [TextModel(**row) for row in rows]


def searched_model(database: Database) -> TextModel | None:
    """The one that is searched; None in a library without passages."""
    return next((model for model in list_text_models(database) if model.searched), None)


def register_text_model(database: Database, model: Model) -> None:
    """See that passages of this model can be kept; the first model of all is searched from now on."""
    known = {(each.model, each.model_revision) for each in list_text_models(database)}
    if (model.name, model.revision) in known:
        return
    with database.connect() as connection:
        connection.execute("LOCK TABLE text_models IN SHARE ROW EXCLUSIVE MODE")  # two videos may be the first
        connection.execute(
            "INSERT INTO text_models (model, model_revision, dimension, searched_since) "
            "SELECT %s, %s, %s, CASE WHEN NOT EXISTS (SELECT FROM text_models WHERE searched_since IS NOT NULL) THEN now() END "
            "ON CONFLICT (model, model_revision) DO NOTHING",
            [model.name, model.revision, model.dimension],
        )


def count_missing(database: Database, model: TextModel) -> int:
    """Videos that are searched, and of which this model has not been run."""
    rows = database.query(
        """
        SELECT count(DISTINCT s.video_id) AS videos FROM searched_passages s
        WHERE NOT EXISTS (SELECT FROM passages p WHERE p.video_id = s.video_id AND p.model = %(model)s
                AND p.model_revision = %(model_revision)s)
            AND NOT EXISTS (SELECT FROM asset_timings t WHERE t.video_id = s.video_id AND t.asset = 'text_embeddings'
                AND t.model = %(model)s AND t.model_revision = %(model_revision)s)
        """,
        model.columns,
    )
    return rows[0]["videos"]


def count_unsearched(database: Database) -> int:
    """Videos whose passages are all of models that are not searched."""
    rows = database.query(
        "SELECT count(DISTINCT p.video_id) AS videos FROM text_models m JOIN passages p USING (model, model_revision) "
        "WHERE m.searched_since IS NULL AND NOT EXISTS (SELECT FROM searched_passages s WHERE s.video_id = p.video_id)"
    )
    return rows[0]["videos"]


def switch_to(connection: Connection, model: TextModel) -> None:
    """From the end of the caller's transaction on, this model is searched and no other."""
    connection.execute("UPDATE text_models SET searched_since = NULL")
    connection.execute(
        "UPDATE text_models SET searched_since = now() WHERE model = %(model)s AND model_revision = %(model_revision)s",
        model.columns,
    )
