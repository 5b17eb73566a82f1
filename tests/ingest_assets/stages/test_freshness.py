"""Which stages of a video are stale, over the real asset graph."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.storage.catalog.stages import STAGES, UPSTREAM
from ingest_assets.stages.freshness import Output, Version, reason_to_run, reasons_to_run

EXPECTED = {stage: Version("1", f"model of {stage}", "r1") for stage in STAGES}


def ran(outputs: dict[str, Output], stage: str, content: str) -> dict[str, Output]:
    """The outputs after the stage ran and left this content."""
    above = {name: outputs[name].digest for name in UPSTREAM[stage]}
    return outputs | {stage: Output(EXPECTED[stage], content, above)}


def all_current() -> dict[str, Output]:
    outputs: dict[str, Output] = {}
    for stage in STAGES:
        outputs = ran(outputs, stage, f"what {stage} left")
    return outputs


CURRENT = all_current()


def below(stage: str) -> set[str]:
    """The stages made from this one, directly or not."""
    children = {other for other, above in UPSTREAM.items() if stage in above}
    return children.union(*(below(child) for child in children))


def stale(outputs: dict[str, Output], expected: dict[str, Version] = EXPECTED) -> list[str]:
    return list(reasons_to_run(expected, UPSTREAM, outputs))


def in_order(stages: set[str]) -> list[str]:
    return [stage for stage in STAGES if stage in stages]


def test_new_video_runs_everything_upstream_first() -> None:
    assert stale({}) == list(STAGES)


def test_current_video_runs_nothing() -> None:
    assert stale(CURRENT) == []


def test_asset_graph_is_as_expected() -> None:
    assert below("audio") == set(STAGES) - {"audio"}
    assert below("transcript") == {"text_embeddings"}
    assert below("speaker_turns") == {"voice_embeddings", "text_embeddings"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("field", ["code_version", "model", "model_revision"])
def test_changed_version_reruns_stage_and_those_below(stage: str, field: str) -> None:
    changed = EXPECTED | {stage: replace(EXPECTED[stage], **{field: "changed"})}
    assert stale(CURRENT, changed) == in_order({stage} | below(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_missing_stage_runs_with_those_below(stage: str) -> None:
    outputs = {name: output for name, output in CURRENT.items() if name != stage}
    assert stale(outputs) == in_order({stage} | below(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_changed_content_makes_stages_below_stale(stage: str) -> None:
    assert stale(ran(CURRENT, stage, "something else")) == in_order(below(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_same_content_makes_nothing_stale(stage: str) -> None:
    assert stale(ran(CURRENT, stage, CURRENT[stage].digest)) == []


def test_older_version_is_stale_too() -> None:
    newer = replace(CURRENT["transcript"], version=replace(EXPECTED["transcript"], code_version="2"))
    assert stale(CURRENT | {"transcript": newer}) == ["transcript", "text_embeddings"]


@pytest.mark.parametrize("stage", STAGES)
def test_single_stage_ignores_staleness_above_it(stage: str) -> None:
    outdated = {name: output if name == stage else replace(output, version=Version("0")) for name, output in CURRENT.items()}
    assert reason_to_run(EXPECTED[stage], UPSTREAM[stage], outdated[stage], outdated) == ""


def test_stage_without_upstream_output_is_never_current() -> None:
    outputs = {stage: CURRENT[stage] for stage in ("audio", "voice_embeddings")}
    reason = reason_to_run(EXPECTED["voice_embeddings"], UPSTREAM["voice_embeddings"], outputs["voice_embeddings"], outputs)
    assert reason == "made from speaker_turns, which never ran to its end"


STEPS = st.lists(st.tuples(st.sampled_from(STAGES), st.sampled_from(["a", "b"])), max_size=30)


@settings(deadline=None)
@given(STEPS)
def test_video_is_current_after_its_stale_stages_ran(steps: list[tuple[str, str]]) -> None:
    outputs: dict[str, Output] = {}
    for stage, content in steps:
        if UPSTREAM[stage] <= outputs.keys():
            outputs = ran(outputs, stage, content)
    for stage in stale(outputs):
        outputs = ran(outputs, stage, "today's")
    assert stale(outputs) == []
