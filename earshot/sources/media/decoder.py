"""The decoder: a process that reads one media file with FFmpeg, within limits, and ends.

A media file comes from a stranger, and FFmpeg is a million lines of C. Here it may crash, loop, or take all the memory that it
is allowed, without harm to the worker that waits for it. `python -m earshot.sources.media.decoder FD` says that it is ready,
reads a request from its standard input (JSON: what to do, and the path), writes samples to the file descriptor, and an answer
to its standard output (JSON: the result, or the class, message and remedy of an error). It dies with its parent.

earshot/sources/media/decoding.py starts it; earshot/sources/media/sound.py reads the file.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from earshot.common.errors import EarshotError, OutOfMemory, OverLimit
from earshot.sources.media.limits import MEMORY_BYTES, MOST_SAMPLES, SAMPLE_BYTES, most_cpu_s, shown

READY = b"ready\n"
READ, LENGTH = "read", "length"  # what to do: pass on the samples, or only say the length

_PR_SET_PDEATHSIG = 1


def main(descriptor: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, too, which ends this process
    import_module("earshot.sources.media.sound")
    _say(READY)
    line = sys.stdin.buffer.readline()
    if line:  # else the parent is gone
        request = json.loads(line)
        _say(json.dumps(_answer(request["what"], Path(request["path"]), descriptor)).encode())


def _say(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _answer(what: str, path: Path, descriptor: int) -> dict[str, Any]:
    from earshot.sources.media.sound import length_s, read_sound  # the parent imports this module without FFmpeg

    try:
        _limit(path)
        if what == LENGTH:
            return {"result": length_s(path)}
        with os.fdopen(descriptor, "wb") as output:
            return {"result": read_sound(path, output.write)}
    except MemoryError:
        return _error(_lack_of_memory(path))
    except EarshotError as error:
        return _error(error)
    except OSError as error:
        return {"errno": error.errno, "strerror": error.strerror}


def _limit(path: Path) -> None:
    """Limit what this process takes from here on."""
    limits = {
        resource.RLIMIT_DATA: (MEMORY_BYTES, MEMORY_BYTES),
        resource.RLIMIT_CPU: (most_cpu_s(path), most_cpu_s(path) + 10),  # SIGXCPU, and SIGKILL if that does not end it
        resource.RLIMIT_FSIZE: (MOST_SAMPLES * SAMPLE_BYTES, MOST_SAMPLES * SAMPLE_BYTES),
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, limit)


def _lack_of_memory(path: Path) -> EarshotError:
    """The error for memory that was not given: because of the limit above, or because the machine has none left."""
    scarce = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY or _available_bytes() < MEMORY_BYTES
    if scarce:
        return OutOfMemory(f"{shown(path)}: memory ran out while it was decoded.", "It is tried again later.")
    return OverLimit(
        f"{shown(path)} takes more than {MEMORY_BYTES >> 20} MB of memory to decode, which are the most.",
        "It is damaged, or made to do harm: get it from elsewhere, or convert it yourself.",
    )


def _available_bytes() -> int:
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) << 10


def _error(error: EarshotError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": error.message, "remedy": error.remedy}


if __name__ == "__main__":
    main(int(sys.argv[1]))
