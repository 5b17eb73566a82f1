"""The text about the stage at work."""

import pytest

from earshot.cli.operation.ingest import describe_stage


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "transcript"), (0.004, "transcript"), (0.01, "transcript 1%"), (0.87, "transcript 87%"), (1.0, "transcript 100%")],
)
def test_share_is_shown_from_one_percent(share: float, text: str) -> None:
    assert describe_stage("transcript", share) == text
