"""What is told of the stage at work while nothing of it, some, or all is done."""

import pytest

from ingest_assets.stages.progress import described


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, "transcript"), (0.004, "transcript"), (0.01, "transcript 1%"), (0.87, "transcript 87%"), (1.0, "transcript 100%")],
)
def test_share_is_shown_once_there_is_some(share: float, told: str) -> None:
    assert described("transcript", share) == told
