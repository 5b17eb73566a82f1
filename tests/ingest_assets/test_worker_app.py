"""The worker's Celery application, apart from its broker and its runs: tests/end_to_end has these."""

import gc
import weakref

import pytest
from celery.signals import task_postrun


class InCycle:
    """Keeps itself alive until a collection, as Dagster's instance does."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_run_left_in_cycles_is_freed_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_BROKER", "redis://127.0.0.1:1/0")
    import ingest_assets.worker_app  # noqa: F401

    gc.disable()
    try:
        left = weakref.ref(InCycle())
        assert left() is not None
        task_postrun.send(sender=None)
        assert left() is None
    finally:
        gc.enable()
