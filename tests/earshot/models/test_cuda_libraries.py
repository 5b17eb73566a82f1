"""torch and ctranslate2 must agree on the CUDA major version.

On a GPU, ctranslate2 (faster-whisper's engine) opens the cuBLAS of torch's packages. If torch moves to another CUDA major,
these tests fail, while everything else fails on a GPU alone.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import torch


def test_ctranslate2_and_torch_share_a_cuda_major() -> None:
    assert _opened_by_ctranslate2() == {_torch_major()}


def test_torch_packages_include_cublas() -> None:
    spec = find_spec("nvidia")
    assert spec is not None
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    libraries = [path for folder in folders for path in folder.glob(f"**/libcublas.so.{_torch_major()}")]
    assert libraries, f"no libcublas.so.{_torch_major()} under {folders}"


def _torch_major() -> str:
    assert torch.version.cuda is not None, "torch is a CPU build"
    return torch.version.cuda.partition(".")[0]


def _opened_by_ctranslate2() -> set[str]:
    """The major versions of the cuBLAS that ctranslate2's library opens at run time."""
    spec = find_spec("ctranslate2")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    libraries = [*package.glob("**/*.so*"), *package.parent.glob("ctranslate2.libs/*.so*")]
    names = {match for library in libraries for match in re.findall(rb"libcublas\.so\.(\d+)", library.read_bytes())}
    return {name.decode() for name in names}
