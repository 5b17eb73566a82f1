"""Freshness: which stages of a video are stale and must run. Pure functions; ingest_assets/stages/outputs.py stores outputs.

A stage is current if today's code version and model made its last output from the present outputs of the stages above it. Only
their content counts: a stage above that ran again with the same result makes nothing stale. Passages are also stale after a
correction of their words, transcripts and turns after a change of their hints. The stages below a stale stage are stale, too,
until it has run and its new content is known.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass


@dataclass(frozen=True)
class Version:
    """What determines a stage's output besides its inputs. Model and revision are "" if the stage loads no model."""

    code_version: str
    model: str = ""
    model_revision: str = ""


@dataclass(frozen=True)
class Output:
    """A stage's last output. `digest` covers the content that the stages below read; `upstream_digests` has the digests, by
    stage above, of the outputs it was made from; `took_s` excludes loading models. `words_changed`: users have corrected words
    since, or undone it; `changed_hints`: the keys of hints that were others then.
    """

    version: Version
    digest: str
    upstream_digests: Mapping[str, str]
    took_s: float = 0.0
    words_changed: bool = False
    changed_hints: Sequence[str] = ()


def reasons_to_run(
    expected: Mapping[str, Version], upstream: Mapping[str, Set[str]], outputs: Mapping[str, Output]
) -> dict[str, str]:
    """The reason for each stale stage, in the order of `expected`, which must list each stage after those above it."""
    stale: dict[str, str] = {}
    for stage, version in expected.items():
        above = sorted(upstream[stage] & stale.keys())
        reason = reason_to_run(version, upstream[stage] - stale.keys(), outputs.get(stage), outputs)
        reason = reason or (f"made from {above[0]}, which is out of date" if above else "")
        if reason:
            stale[stage] = reason
    return stale


def reason_to_run(version: Version, upstream: Set[str], output: Output | None, outputs: Mapping[str, Output]) -> str:
    """Why a stage's output is not what today's version would make of the present outputs above it; "" if it is."""
    if output is None:
        return "never run to its end"
    if output.version != version:
        return _change(output.version, version)
    if output.changed_hints:
        return f"made with other hints: {', '.join(output.changed_hints)}"
    for above in sorted(upstream):
        if above not in outputs:
            return f"made from {above}, which never ran to its end"
        if output.upstream_digests.get(above) != outputs[above].digest:
            return f"made from an earlier {above}"
    return "made before words were corrected" if output.words_changed else ""


def _change(old: Version, new: Version) -> str:
    """The change in words, such as "code version 1 -> 2"."""
    if old.code_version != new.code_version:
        return f"code version {old.code_version} -> {new.code_version}"
    if old.model != new.model:
        return f"model {old.model} -> {new.model}"
    return f"{new.model} {old.model_revision} -> {new.model_revision}"
