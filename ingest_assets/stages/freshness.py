"""Currency: which stages of a video are out of date, and so which to run. Pure functions.

A stage is current when its last output was left by today's code version and model, and made from what the stages above it
have now. It is the content that counts: a stage above that ran again and left the same makes nothing out of date. What is
below a stage that is out of date counts as out of date too, until that has run and shown what it leaves. Where the library
keeps all that is ingest_assets/stages/outputs.py.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass


@dataclass(frozen=True)
class Version:
    """What decides a stage's output besides its inputs. Model and revision are "" where no model is loaded."""

    code_version: str
    model: str = ""
    model_revision: str = ""


@dataclass(frozen=True)
class Output:
    """What a stage left last. `digest` is a digest of what the stages below read of it; `upstream_digests` has, by stage above,
    the content that it had then; `took_s` is without loading models.
    """

    version: Version
    digest: str
    upstream_digests: Mapping[str, str]
    took_s: float = 0.0


def reasons_to_run(
    expected: Mapping[str, Version], upstream: Mapping[str, Set[str]], outputs: Mapping[str, Output]
) -> dict[str, str]:
    """Why each stage that is out of date is so, in the order of `expected`, which lists each after all that it is made from."""
    stale: dict[str, str] = {}
    for stage, version in expected.items():
        above = sorted(upstream[stage] & stale.keys())
        why = reason_to_run(version, upstream[stage] - stale.keys(), outputs.get(stage), outputs)
        why = why or (f"made from {above[0]}, which is out of date" if above else "")
        if why:
            stale[stage] = why
    return stale


def reason_to_run(version: Version, upstream: Set[str], output: Output | None, outputs: Mapping[str, Output]) -> str:
    """Why one stage is not what today's version would make of the outputs above it as they are; "" where it is."""
    if output is None:
        return "never run to its end"
    if output.version != version:
        return _change(output.version, version)
    for above in sorted(upstream):
        if above not in outputs:
            return f"made from {above}, which never ran to its end"
        if output.upstream_digests.get(above) != outputs[above].digest:
            return f"made from an earlier {above}"
    return ""


def _change(was: Version, version: Version) -> str:
    """code version 1 -> 2"""
    if was.code_version != version.code_version:
        return f"code version {was.code_version} -> {version.code_version}"
    if was.model != version.model:
        return f"model {was.model} -> {version.model}"
    return f"{version.model} {was.model_revision} -> {version.model_revision}"
