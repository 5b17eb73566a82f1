"""A timing as the metadata of a materialization."""

from dataclasses import asdict

from dagster import MetadataValue

from earshot.timings.timing import TEXT_KEYS, Timing


def metadata(timing: Timing) -> dict[str, MetadataValue]:
    """Every key as Dagster metadata, always of the same type, so that the UI can plot it over partitions."""
    return {
        key: MetadataValue.text(value) if key in TEXT_KEYS else MetadataValue.float(value)
        for key, value in asdict(timing).items()
    }
