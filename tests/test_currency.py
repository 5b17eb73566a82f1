"""Which stages of a video are out of date, over the real asset graph."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_assets.currency import LastRun, Version, reasons_to_run
from ingest_assets.staleness import UPSTREAM
from resources.catalogue import STAGES

EXPECTED = {stage: Version("1", f"model of {stage}", "r1") for stage in STAGES}
CURRENT = {stage: LastRun(version, order) for order, (stage, version) in enumerate(EXPECTED.items())}


def below(stage: str) -> set[str]:
    """What is made from the stage, directly or not."""
    children = {other for other, above in UPSTREAM.items() if stage in above}
    return children.union(*(below(child) for child in children))


def stale(last: dict[str, LastRun], expected: dict[str, Version] = EXPECTED) -> list[str]:
    return list(reasons_to_run(expected, UPSTREAM, last))


def in_order(stages: set[str]) -> list[str]:
    return [stage for stage in STAGES if stage in stages]


def test_where_nothing_ran_everything_is_run_upstream_first() -> None:
    assert stale({}) == list(STAGES)


def test_where_everything_is_current_nothing_is_run() -> None:
    assert stale(CURRENT) == []


def test_the_graph_is_the_one_these_tests_speak_of() -> None:
    assert below("audio") == set(STAGES) - {"audio"}
    assert below("transcript") == {"text_embeddings"}
    assert below("speaker_turns") == {"voice_embeddings", "text_embeddings"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("field", ["code_version", "model", "model_revision"])
def test_a_change_of_version_reruns_the_stage_and_what_is_below_it_only(stage: str, field: str) -> None:
    changed = EXPECTED | {stage: replace(EXPECTED[stage], **{field: "changed"})}
    assert stale(CURRENT, changed) == in_order({stage} | below(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_never_ran_is_run_with_what_is_below_it_only(stage: str) -> None:
    last = {name: run for name, run in CURRENT.items() if name != stage}
    assert stale(last) == in_order({stage} | below(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_a_later_run_of_a_stage_makes_what_is_below_it_stale_but_not_itself(stage: str) -> None:
    last = CURRENT | {stage: LastRun(EXPECTED[stage], order=100)}
    assert stale(last) == in_order(below(stage))


def test_a_version_that_goes_back_is_run_again_too() -> None:
    last = CURRENT | {"transcript": LastRun(replace(EXPECTED["transcript"], code_version="2"), order=1)}
    assert stale(last) == ["transcript", "text_embeddings"]


ORDERS = st.lists(st.integers(0, 1000), min_size=len(STAGES), max_size=len(STAGES), unique=True)


@settings(deadline=None)
@given(ORDERS, st.sets(st.sampled_from(STAGES)))
def test_once_its_stages_have_run_a_video_is_current(orders: list[int], never: set[str]) -> None:
    last = {stage: LastRun(EXPECTED[stage], order) for stage, order in zip(STAGES, orders, strict=True) if stage not in never}
    done = {stage: LastRun(EXPECTED[stage], 1001 + order) for order, stage in enumerate(stale(last))}
    assert never <= set(done)
    assert stale(last | done) == []
