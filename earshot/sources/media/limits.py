"""Limits of decoding: what a media file from a stranger may take of this machine, and the names that errors give such files."""

from pathlib import Path

from earshot.common.audio import SAMPLE_RATE
from earshot.common.text import one_line, without_surrogates

# The stages after `audio` hold a recording in memory as a whole: 4 GB for three hours, about 9 for this.
MOST_HOURS = 12
SAMPLE_BYTES = 2  # int16
MOST_SAMPLES = MOST_HOURS * 3600 * SAMPLE_RATE
SPLIT = f"Split it into parts of at most {MOST_HOURS} hours."

# Decoding takes 30 to 150 MB, and more only for the index of a film of many hours.
MEMORY_BYTES = 1 << 30
# A CPU second decodes a minute of audio at the least, which has 50 KB at the least; usually it is twenty minutes.
CPU_S = 60
BYTES_PER_CPU_S = 50_000
MOST_CPU_S = 1800
# A machine may be busy, and a disk slow: time that passes without work proves nothing against the file.
WALL_PER_CPU = 5


def most_cpu_s(path: Path) -> int:
    """The CPU seconds that decoding this file may take. Raises OSError if it cannot be read."""
    return min(CPU_S + path.stat().st_size // BYTES_PER_CPU_S, MOST_CPU_S)


def shown(path: Path) -> str:
    """The file's name as errors have it: on one line, in Unicode."""
    return one_line(without_surrogates(path.name))
