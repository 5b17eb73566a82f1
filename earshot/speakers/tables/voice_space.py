"""The voice space: model, revision and preparation, which two voice vectors must share to be comparable.

Scores of different models are never compared, nor are vectors whose samples were prepared differently. Every table with a
vector or a score has these three columns, and every comparison selects by them. The only score is the cosine similarity of two
vectors, from -1 to 1.
"""

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from earshot.config.settings import Settings
from earshot.models.registry import Thresholds, model_set
from earshot.storage.database import Database

# How samples become the speaker model's input (earshot/models/voice/voice_encoder.py). Must change if vectors change.
PREPARATION = "pieces-1-2-4-8s"


@dataclass(frozen=True)
class VoiceSpace:
    """One model at one revision, with one way of preparing samples; `dimension` follows from the model."""

    model: str
    model_revision: str
    preparation: str
    dimension: int

    @property
    def columns(self) -> dict[str, str]:
        """The space as table columns."""
        return {"model": self.model, "model_revision": self.model_revision, "preparation": self.preparation}


def in_space(statement: LiteralString) -> sql.Composed:
    """The statement with `{in_space}` replaced by a condition on the three columns; pass `space.columns` as parameters."""
    return sql.SQL(statement).format(in_space=_IN_SPACE)


_IN_SPACE = sql.SQL("model = %(model)s AND model_revision = %(model_revision)s AND preparation = %(preparation)s")


def voice_space(settings: Settings) -> VoiceSpace:
    """The current voice space of these settings. Does not load the model."""
    model = model_set(settings).voice
    return VoiceSpace(model.name, model.revision, PREPARATION, model.dimension)


def thresholds(database: Database, settings: Settings) -> Thresholds:
    """The thresholds of the current space: the threshold accepted last, else the model's default."""
    space, default = voice_space(settings), model_set(settings).voice.thresholds
    assert default is not None  # every voice model has one
    rows = database.query(
        in_space("SELECT threshold, source FROM voice_thresholds WHERE {in_space} ORDER BY accepted_at DESC LIMIT 1"),
        space.columns,
    )
    if not rows:
        return default
    return Thresholds(rows[0]["threshold"], default.margin, rows[0]["source"])


def accept_threshold(database: Database, space: VoiceSpace, threshold: float, source: str) -> None:
    """Store the threshold that `thresholds()` returns for this space from now on."""
    database.query(
        "INSERT INTO voice_thresholds (model, model_revision, preparation, threshold, source) "
        "VALUES (%(model)s, %(model_revision)s, %(preparation)s, %(threshold)s, %(source)s)",
        {**space.columns, "threshold": threshold, "source": source},
    )


def count_other_spaces(database: Database, space: VoiceSpace) -> int:
    """The number of videos whose centroids are in another space, and so cannot be compared with those in this one."""
    counted = in_space(
        "SELECT count(DISTINCT video_id) AS videos FROM local_speakers WHERE centroid IS NOT NULL AND NOT ({in_space})"
    )
    return database.query(counted, space.columns)[0]["videos"]
