"""Turns the errors that a lack of memory causes into OutOfMemory, which is retried later.

Besides MemoryError, libraries report it as RuntimeError, OSError or ImportError. earshot/models/oom_batching.py halves batches
first; what remains are downloads, decoding, and loading libraries and models.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from earshot.common.errors import EarshotError, OutOfMemory, error_chain

# Of glibc, its dynamic loader, C++, ctranslate2 and ONNX Runtime.
SIGNS = ("annot allocate memory", "failed to map segment", "bad_alloc", "bad allocation", "ailed to allocate memory")


@contextmanager
def explaining_lack_of_memory() -> Iterator[None]:
    """Within the block, raise errors caused by a lack of memory as OutOfMemory, and all others unchanged."""
    try:
        yield
    except EarshotError:
        raise
    except Exception as error:
        cause = next((link for link in error_chain(error) if is_lack_of_memory(link)), None)
        if cause is None:
            raise
        raise OutOfMemory(
            f"Memory ran out ({' '.join(str(cause).split()) or type(cause).__name__}).",
            "It is tried again later. If it happens again, close other programs, or lower EARSHOT_WORKERS.",
        ) from error


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether this error, without its causes, says so."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in SIGNS)
