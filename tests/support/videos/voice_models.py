"""The models of enrolments, as asset `enrolments` makes them."""

from earshot.models.cache import Models
from earshot.models.measurement import Measurement
from earshot.storage.catalog.stages import ENROLMENTS
from ingest_assets.stages.enrolment_models import EnrolmentModels
from resources.gpu import GpuResource


def voice_models() -> EnrolmentModels:
    """The real models on the device of the settings, with a measurement that is not read."""
    return EnrolmentModels(ENROLMENTS, Measurement(), GpuResource(), Models())
