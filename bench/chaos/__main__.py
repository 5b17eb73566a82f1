"""`python -m bench.chaos --seed N --faults N --home DIR`."""

import argparse
import signal
from pathlib import Path

from bench.chaos.campaign import run_campaign
from bench.chaos.report import print_report, store

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description="Inject faults into a running `earshot up`.")
    parser.add_argument("--seed", type=int, default=1, help="The order and the moments of the faults.")
    parser.add_argument("--faults", type=int, default=20, help="How many.")
    parser.add_argument("--home", type=Path, default=Path("/tmp/chaos"), help="A folder for libraries, with a short path.")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = run_campaign(arguments.seed, arguments.faults, arguments.home, keep=store)
    print_report(report)
    print(f"Written to {store(report)}")
