"""`python -m bench.harness.run_measured FILE PROGRAM ARGUMENTS...`: runs a program, with its output in FILE, and prints its
seconds and peak memory as JSON.

A small program of its own, because a child's peak memory includes its parent's size before the child's program replaced it.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    started = time.monotonic()
    with Path(sys.argv[1]).open("wb") as out:
        process = subprocess.Popen(sys.argv[2:], stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    seconds, code = time.monotonic() - started, os.waitstatus_to_exitcode(status)
    process.returncode = code
    print(json.dumps({"seconds": seconds, "peak_mb": used.ru_maxrss / 1024, "exit_code": code}))


if __name__ == "__main__":
    main()
