"""A campaign's report: a table of faults by kind, and the file of its figures."""

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from bench.chaos.campaign import Injected, Report
from bench.harness.figures import measured_on, write
from earshot.cli.output import print_table
from earshot.models.device import cpu_name

HEADINGS = [
    ("fault", "left"),
    ("times", "right"),
    ("longest recovery s: alone", "right"),
    ("with others", "right"),
    ("with findings", "right"),
]


def print_report(report: Report) -> None:
    """Print what was injected, how long recovery took, and what was found."""
    by_kind: dict[str, list[Injected]] = defaultdict(list)
    for injected in report.injected:
        for fault in injected.faults:
            by_kind[fault].append(injected)
    print_table(HEADINGS, [[kind, *_figures(rounds)] for kind, rounds in sorted(by_kind.items())])
    print(f"{report.faults} faults in {len(report.injected)} rounds, {report.videos} videos.")
    print(f"`up` was restarted {report.restarts_of_up} times.")
    print(f"Calls: {report.calls}; the longest command took {report.longest_command_s:.0f} s.")
    found = [f"{', '.join(injected.faults)}: {text}" for injected in report.injected for text in injected.findings]
    for finding in [*found, *report.findings]:
        print(f"FOUND {finding}")


def _figures(rounds: list[Injected]) -> list[str]:
    """How often a fault came, the longest recovery alone and with others, and the rounds with findings."""
    alone = [injected.recovered_s for injected in rounds if len(injected.faults) == 1]
    together = [injected.recovered_s for injected in rounds if len(injected.faults) > 1]
    longest = [f"{max(times):.0f}" if times else "" for times in (alone, together)]
    return [str(len(rounds)), *longest, str(sum(bool(injected.findings) for injected in rounds))]


def store(report: Report) -> Path:
    """Write the figures to bench/results; returns the path."""
    return write({**measured_on(cpu_name()), **asdict(report)}, f"chaos/{report.seed}-")
