"""A backfill waits for the code server, instead of failing because its assets are not known meanwhile."""

import logging
from typing import Any

import pytest
from dagster._core.errors import DagsterDefinitionChangedDeserializationError
from dagster._core.execution import asset_backfill

from resources.instance.home import prepare_dagster_home


@pytest.mark.usefixtures("home")
def test_backfill_waits_for_the_code_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise DagsterDefinitionChangedDeserializationError("Asset transcript existed at storage-time, but no longer does")

    monkeypatch.setattr(asset_backfill, "_check_asset_backfill_data_validity", fail)
    monkeypatch.setattr(asset_backfill, "_get_unloadable_location_names", lambda *_: ["earshot"])
    prepare_dagster_home()
    nothing: Any = None
    goes_on = asset_backfill._check_validity_of_asset_backfill_data_and_should_process_backfill(
        nothing, "id", nothing, nothing, nothing, logging.getLogger(__name__)
    )
    assert not goes_on  # in this iteration; an error would fail the backfill
