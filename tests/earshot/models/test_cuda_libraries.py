"""torch and ctranslate2 must agree on the CUDA major version.

On a GPU, ctranslate2 (faster-whisper's engine) opens the cuBLAS that torch's packages bring. If torch moves to another CUDA
major, nothing fails on a CPU and everything does on a GPU; these tests fail first.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import torch


def test_ctranslate2_opens_the_cublas_of_the_cuda_major_that_torch_is_built_for() -> None:
    assert _opened_by_ctranslate2() == {_torch_major()}


def test_torch_brings_that_cublas() -> None:
    spec = find_spec("nvidia")
    assert spec is not None
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    found = [path for folder in folders for path in folder.glob(f"**/libcublas.so.{_torch_major()}")]
    assert found, f"no libcublas.so.{_torch_major()} under {folders}"


def _torch_major() -> str:
    assert torch.version.cuda is not None, "torch is a CPU build"
    return torch.version.cuda.partition(".")[0]


def _opened_by_ctranslate2() -> set[str]:
    """The major versions in the names of cuBLAS that ctranslate2's library carries to open at run time."""
    spec = find_spec("ctranslate2")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    libraries = [*package.glob("**/*.so*"), *package.parent.glob("ctranslate2.libs/*.so*")]
    names = {match for library in libraries for match in re.findall(rb"libcublas\.so\.(\d+)", library.read_bytes())}
    return {name.decode() for name in names}
