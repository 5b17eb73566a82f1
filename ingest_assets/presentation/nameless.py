"""Errors without names, for assets about people: Dagster stores messages for ever, and a person must be forgettable."""

from earshot.common.errors import DatabaseUnusable, EarshotError, GpuUnavailable, ModelUnavailable

# Errors whose messages never quote people.yaml.
NAMELESS = (DatabaseUnusable, GpuUnavailable, ModelUnavailable)


def without_names(error: EarshotError) -> str:
    """The error's message, replaced if it may contain a name."""
    if isinstance(error, NAMELESS):
        return str(error)
    return (
        f"Identification failed ({type(error).__name__}), and nothing was changed. `earshot people list` shows the error, "
        "which is omitted here because it may contain names."
    )
