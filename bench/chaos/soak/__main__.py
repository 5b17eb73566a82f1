"""`python -m bench.chaos.soak --minutes N --home DIR [--speed N]`."""

import argparse
from pathlib import Path

from bench.chaos.soak.report import print_report, store
from bench.chaos.soak.soak import Plan, run_soak

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos.soak", description="Let `earshot up` work, and see what grows."
    )
    parser.add_argument("--minutes", type=float, default=Plan.minutes, help="How long.")
    parser.add_argument("--every", type=float, default=Plan.every_s, help="Seconds between two episodes.")
    parser.add_argument("--length", type=float, default=Plan.length_s, help="Seconds of an episode.")
    parser.add_argument(
        "--speed", type=int, default=Plan.speed, help="How fast the time of day goes: 40 makes a day of 36 minutes."
    )
    parser.add_argument(
        "--keep-videos", type=int, default=Plan.keep_videos, help="How many the nightly retention keeps; 0: all."
    )
    parser.add_argument("--home", type=Path, default=Path("/tmp/soak"), help="A folder for the library, with a short path.")
    given = parser.parse_args()
    record = run_soak(Plan(given.minutes, given.every, given.length, given.speed, given.keep_videos), given.home)
    print_report(record)
    print(f"Written to {store(record)}")
