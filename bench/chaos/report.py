"""A campaign's report: a table of faults by kind, and the file of its figures."""

from collections import defaultdict
from pathlib import Path

from bench.chaos.campaign import Injected, Report
from bench.harness.figures import measured_on, write
from earshot.cli.output import print_table
from earshot.models.device import cpu_name

HEADINGS = [("fault", "left"), ("times", "right"), ("longest recovery s", "right"), ("with findings", "right")]


def print_report(report: Report) -> None:
    """Print what was injected, how long recovery took, and what was found."""
    by_kind: dict[str, list[Injected]] = defaultdict(list)
    for injected in report.injected:
        by_kind[injected.fault].append(injected)
    rows = [
        [
            kind,
            str(len(faults)),
            f"{max(fault.recovered_s for fault in faults):.0f}",
            str(sum(bool(fault.findings) for fault in faults)),
        ]
        for kind, faults in sorted(by_kind.items())
    ]
    print_table(HEADINGS, rows)
    print(f"{len(report.injected)} faults, {report.videos} videos; `up` was restarted {report.restarts_of_up} times.")
    print(f"Calls: {report.calls}; the longest command took {report.longest_command_s:.0f} s.")
    for finding in [*(f"{fault.fault}: {text}" for fault in report.injected for text in fault.findings), *report.findings]:
        print(f"FOUND {finding}")


def store(report: Report) -> Path:
    """Write the figures to bench/results; returns the path."""
    return write({**measured_on(cpu_name()), **report.document}, f"chaos/{report.seed}-")
