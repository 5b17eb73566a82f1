"""Resource `gpu`: the requested device, checked before the first model loads. There is no fallback."""

from dagster import ConfigurableResource

from earshot.config.settings import read_settings
from earshot.models.device import Device, require_device


class GpuResource(ConfigurableResource):
    """The device of `EARSHOT_DEVICE`."""

    def require(self) -> Device:
        """The device, checked; raises GpuUnavailable."""
        return require_device(read_settings().device)
