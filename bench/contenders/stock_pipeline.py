"""pyannote.audio's own SpeakerDiarization with the bundled models, as its documentation shows it."""

from typing import Any

from pyannote.audio import Model
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization


class NoPLDA(PLDA):
    """A placeholder that keeps the pipeline's constructor from fetching a PLDA; agglomerative clustering uses none."""

    def __init__(self) -> None:
        pass


def stock_pipeline(
    segmentation: Model,
    speaker: Model,
    least_windows: int,
    threshold: float,
    kind: type[SpeakerDiarization] = SpeakerDiarization,
    **options: Any,
) -> SpeakerDiarization:
    """A pipeline with pyannote's published values, except for these two of its clustering."""
    pipeline = kind(
        segmentation=segmentation, embedding=speaker, plda=NoPLDA(), clustering="AgglomerativeClustering", **options
    )
    clustering = {"method": "centroid", "min_cluster_size": least_windows, "threshold": threshold}
    pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": clustering})
    return pipeline
