"""`python -m bench.chaos.hostile --seed N --home DIR`: the campaign, its table by kind, and the file of its figures."""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bench.chaos.hostile.campaign import HostileReport, Result, run_campaign
from bench.chaos.hostile.case import Case
from bench.chaos.hostile.damage import damage_cases
from bench.chaos.hostile.feeds import feed_cases
from bench.chaos.hostile.media import media_cases
from bench.chaos.hostile.names import name_cases
from bench.chaos.hostile.texts import text_cases
from bench.harness.figures import measured_on, write
from earshot.cli.output import print_table
from earshot.models.device import cpu_name

HEADINGS = [
    ("kind", "left"),
    ("inputs", "right"),
    ("ends", "left"),
    ("longest s", "right"),
    ("most MB", "right"),
    ("found", "right"),
]


def all_cases(seed: int) -> Iterator[Case]:
    return (case for cases in (text_cases, name_cases, media_cases, damage_cases, feed_cases) for case in cases(seed))


def print_report(report: HostileReport) -> None:
    """Print the results by kind, and what was found."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for result in report.results:
        kinds[result.kind].append(result)
    print_table(HEADINGS, [_row(kind, results) for kind, results in kinds.items()])
    for result in report.results:
        for finding in result.findings:
            print(f"FOUND {result.kind}: {result.name}: {finding}: {result.message[:300]}")


def _row(kind: str, results: list[Result]) -> list[str]:
    states = sorted({result.state for result in results})
    ends = ", ".join(f"{sum(result.state == state for result in results)} {state}" for state in states)
    longest, most = max(result.wall_s for result in results), max(result.mb for result in results)
    return [
        kind,
        str(len(results)),
        ends,
        f"{longest:.0f}",
        f"{most:.0f}",
        str(sum(bool(result.findings) for result in results)),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.chaos.hostile", description="Ingest hostile inputs.")
    parser.add_argument("--seed", type=int, default=1, help="The damage and the order.")
    parser.add_argument("--home", type=Path, default=Path("/tmp/hostile"), help="A folder for a library, with a short path.")
    parser.add_argument("--only", default="", help="Only the inputs whose kind and name match this pattern.")
    arguments = parser.parse_args()
    chosen = (case for case in all_cases(arguments.seed) if re.search(arguments.only, f"{case.kind}: {case.name}"))
    report = run_campaign(chosen, arguments.seed, arguments.home)
    print_report(report)
    if not arguments.only:
        print(f"Written to {write({**measured_on(cpu_name()), **asdict(report)}, f'chaos/hostile-{arguments.seed}-')}")
    raise SystemExit(any(result.findings for result in report.results))
