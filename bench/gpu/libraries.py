"""Libraries: whether the cuBLAS that ctranslate2 opens here multiplies correctly, and how long its first start here takes.

ctranslate2's wheel is built for cuBLAS 12 and for GPUs up to sm_86. On a machine with only CUDA 13 it gets cuBLAS 13 under the
name of cuBLAS 12; on a newer GPU the driver compiles its PTX once.
"""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.gpu.findings import Findings
from earshot.config.settings import read_settings

HALF, DEFAULT_TENSOR_OP = 2, 99  # CUDA_R_16F, CUBLAS_GEMM_DEFAULT_TENSOR_OP
COMPUTE = {"float16": 64, "float32": 68}  # CUBLAS_COMPUTE_16F, CUBLAS_COMPUTE_32F
COUNT, ROWS, COLUMNS, DEPTH = 3, 96, 64, 80
WORST_ERROR = 5e-3

LOADS_ALL_CODE = """
import numpy as np, ctranslate2
view = ctranslate2.StorageView.from_array(np.ones((4, 4), np.float32))
view.to_device(ctranslate2.Device.{device})
"""


def cublas(found: Findings) -> None:
    """ctranslate2 finds its cuBLAS; on a GPU, it multiplies correctly if called as ctranslate2 calls it."""
    import ctranslate2
    import torch  # like Earshot: if torch bundles cuBLAS 12, ctranslate2 finds it loaded

    libraries = Path(ctranslate2.__file__).parent.parent / "ctranslate2.libs"
    # It exports functions with cuBLAS's names, which look up the real ones.
    library = ctypes.CDLL(str(next(libraries.glob("libctranslate2*"))))
    handle = ctypes.c_void_p()
    status = library.cublasCreate_v2(ctypes.byref(handle))
    opened = sorted({line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libcublas" in line})
    found.tell(f"through ctranslate2: cublasCreate answers {status} (0: good; 1: no GPU), having opened {opened}")
    if read_settings().device == "cpu":
        return
    if status:
        raise RuntimeError(f"cublasCreate answered {status}")
    torch.ones(1, device="cuda")
    _require_good(library.cublasSetStream_v2(handle, ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)), "SetStream")
    for name, error in _products(library, handle):
        found.tell(f"{name}: relative error {error:.1e}")
        if error >= WORST_ERROR:
            raise RuntimeError(f"{name} is off by {error:.1e}")
    _require_good(library.cublasDestroy_v2(handle), "Destroy")


def _products(library: Any, handle: Any) -> Iterator[tuple[str, float]]:
    """The two half-precision products, each with both compute types, and their relative errors."""
    import torch

    left = torch.randn(COUNT, DEPTH, ROWS, device="cuda", dtype=torch.float16)
    right = torch.randn(COUNT, COLUMNS, DEPTH, device="cuda", dtype=torch.float16)
    expected = right.double() @ left.double()  # cuBLAS stores matrices column by column
    for name in COMPUTE:
        for function in (library.cublasGemmStridedBatchedEx, library.cublasGemmEx):
            product = torch.full((COUNT, COLUMNS, ROWS), float("nan"), device="cuda", dtype=torch.float16)
            _multiply(function, handle, name, left, right, product)
            torch.cuda.synchronize()
            error = (product.double() - expected).norm() / expected.norm()
            yield f"{function.__name__}, computing in {name}", error.item()


def _multiply(function: Any, handle: Any, compute: str, left: Any, right: Any, product: Any) -> None:
    """Compute all products in one call if the function is batched, else each in its own."""
    batched = function.__name__ == "cublasGemmStridedBatchedEx"
    half = compute == "float16"
    one, zero = (ctypes.c_uint16(0x3C00), ctypes.c_uint16(0)) if half else (ctypes.c_float(1.0), ctypes.c_float(0.0))
    for index in range(1 if batched else COUNT):
        a, b, c = (
            (ctypes.c_void_p(matrices[index].data_ptr()), HALF, leading, *_stride(matrices, batched))
            for matrices, leading in ((left, ROWS), (right, DEPTH), (product, ROWS))
        )
        last = (*([COUNT] if batched else []), COMPUTE[compute], DEFAULT_TENSOR_OP)
        status = function(handle, 0, 0, ROWS, COLUMNS, DEPTH, ctypes.byref(one), *a, *b, ctypes.byref(zero), *c, *last)
        _require_good(status, function.__name__)


def _stride(matrices: Any, batched: bool) -> tuple[ctypes.c_longlong, ...]:
    return (ctypes.c_longlong(matrices.stride(0)),) if batched else ()


def _require_good(status: int, name: str) -> None:
    if status:
        raise RuntimeError(f"{name} answered {status}")


def compiling(found: Findings) -> None:
    """Seconds of a process that loads all of ctranslate2's GPU code: the first compiles it, the second finds it cached."""
    program = LOADS_ALL_CODE.format(device=read_settings().device)
    cache = Path(os.environ.get("CUDA_CACHE_PATH", Path.home() / ".nv" / "ComputeCache"))
    for name in ("first", "second"):
        began = time.monotonic()
        environment = {**os.environ, "CUDA_MODULE_LOADING": "EAGER"}
        ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        kept_mb = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) / 1e6
        found.tell(
            f"the {name} process that loads all of ctranslate2's GPU code: {seconds:.1f} s, exit code {ended.returncode} "
            f"{ended.stderr[-300:]}; {kept_mb:.0f} MB of compiled code kept",
            **{name: seconds},
        )
