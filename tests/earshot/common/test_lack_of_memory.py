"""A lack of memory is explained, however a library reports it; other errors are left alone."""

import errno
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from earshot.common.errors import InvalidMedia, OutOfMemory
from earshot.common.lack_of_memory import explaining_lack_of_memory

IMPORTING = """
from earshot.common.errors import OutOfMemory
from earshot.common.lack_of_memory import explaining_lack_of_memory
try:
    with explaining_lack_of_memory():
        import faster_whisper
except OutOfMemory as error:
    print(error.remedy)
"""


def raised_in_block(error: Exception) -> None:
    with explaining_lack_of_memory():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        ImportError("libctranslate2.so.4: failed to map segment from shared object"),
    ],
)
def test_lack_of_memory_is_explained(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match=r"^Memory ran out \(.+\)\. It is tried again later\."):
        raised_in_block(error)


@pytest.mark.parametrize("error", [InvalidMedia("no audio"), OSError(errno.ENOENT, "nothing"), KeyError("x")])
def test_other_error_is_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        raised_in_block(error)
    assert raised.value is error


def test_library_that_cannot_be_loaded_is_explained() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTING], capture_output=True, text=True, check=False, preexec_fn=_limited(150 << 20)
    )
    assert "It is tried again later." in ended.stdout, ended.stderr


def _limited(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))
