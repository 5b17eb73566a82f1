"""Resource `models`: the models, loaded once per process."""

from dagster import ConfigurableResource

from earshot.models.cache import Models


class ModelsResource(ConfigurableResource):
    """The models of `EARSHOT_MODELS`."""

    def open(self) -> Models:
        """The models, each loaded at its first use, for a device that resource `gpu` has checked."""
        return Models()
