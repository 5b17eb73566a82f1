"""The device: Earshot works on it, refuses to run without it, and flags stages on another one. Times nothing."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.corpora.episodes import TELEPHONE, clip_path
from bench.drill.drill import ingest_one, write_clip
from bench.drill.faults import moved_to_the_cpu
from bench.gpu.findings import Findings
from bench.gpu.recordings import lengths, passages
from bench.harness.figures import own_home
from earshot.common.errors import EarshotError
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.models.cache import Models
from earshot.models.device import Device, require_device, require_memory
from earshot.models.measurement import CallCounter
from earshot.models.registry import SETS
from earshot.models.text.text_encoder import TextEncoder
from earshot.storage.database import open_database

MEBIBYTE = 2**20
LEFT_MB = (2000, 600, 100)
NEEDS_GPU = "not without a GPU"
# Run on a machine with a real device; `make test-gpu` runs tests/gpu.
TESTS = (
    "tests/earshot/models/test_device.py", "tests/earshot/models/test_nvml.py", "tests/earshot/models/test_oom_batching.py",
    "tests/earshot/models/voice/test_speaker_frames.py", "tests/earshot/config/test_settings.py",
    "tests/earshot/timings/test_causes.py", "tests/earshot/timings/test_timing.py",
    "tests/ingest_assets/presentation/test_checks.py",
)  # fmt: skip
CUDA_TESTS = "tests/earshot/models/test_cuda_libraries.py"


def earshot(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user types it, in its own process."""
    command = [sys.executable, "-c", "from earshot.cli import main; main()", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def refusal(found: Findings) -> None:
    """With cuda requested and the GPU hidden, Earshot refuses: it stores the audio and runs nothing elsewhere."""
    hidden = {"EARSHOT_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": ""}
    with own_home():
        ended = earshot("ingest", str(clip_path(TELEPHONE)), **hidden)
        rows = json.loads(earshot("timings", "--json", **hidden).stdout or "[]")
        videos = json.loads(earshot("videos", "--json", **hidden).stdout or "[]")
    output = (ended.stdout + ended.stderr).strip()
    stages = sorted({row["asset"] for row in rows})
    refused = ended.returncode != 0 and "asks for cuda" in output and set(stages) <= {"audio"}
    found.tell(
        f"{'REFUSED, as it must' if refused else 'NOT REFUSED'}: exit code {ended.returncode}, stages {stages}, "
        f"states {[video['state'] for video in videos]}",
        refused=refused,
    )
    message = next((line for line in output.splitlines() if "asks for cuda" in line), output[-400:])
    found.tell(message[:700], said=output)


def tests(found: Findings) -> None:
    """The project's tests of devices, batches and checks, and those of the CUDA libraries, which fail with CUDA 13."""
    last, output = _pytest(TESTS)
    found.tell(f"devices, batches, checks: {last}")
    for line in output.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            found.tell(f"  {line[:300]}")
    last, _ = _pytest((CUDA_TESTS,))
    found.tell(f"cuda_libraries, which must fail beside a torch for CUDA 13: {last}")


def _pytest(files: Sequence[str]) -> tuple[str, str]:
    """The last line of pytest's output, and all of it."""
    options = ("-m", "not slow", "-p", "no:cacheprovider", "--no-header", "-rfE", "--tb=short")
    environment = {key: value for key, value in os.environ.items() if key != "EARSHOT_HOME"}
    command = [sys.executable, "-m", "pytest", *options, *files]
    ended = subprocess.run(command, env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    print(ended.stdout, ended.stderr)
    return (ended.stdout.strip().splitlines() or ["nothing printed"])[-1], ended.stdout


def doctor(found: Findings) -> None:
    """`earshot doctor` proves everything except what a bare machine lacks (the downloader's JavaScript runtime)."""
    _ask_doctor(found)


def without_shim(found: Findings) -> None:
    """`earshot doctor` if ctranslate2 finds no cuBLAS: the message for a user with the wrong CUDA libraries."""
    _ask_doctor(found, LD_LIBRARY_PATH=os.environ.get("GPU_LIBRARIES", ""))


def _ask_doctor(found: Findings, **environment: str) -> None:
    with own_home():
        ended = earshot("doctor", "--json", **environment)
    if not ended.stdout:
        found.tell(f"no answer, exit code {ended.returncode}: {ended.stderr.strip()[-900:]}")
        return
    proofs = json.loads(ended.stdout)
    proved = [proof["claim"] for proof in proofs if proof["proved"]]
    found.tell(f"exit code {ended.returncode}; proved: {', '.join(proved)}", findings=proofs)
    for proof in proofs:
        if not proof["proved"] or proof["claim"] in ("device", "models at work"):
            mark = "proved" if proof["proved"] else "NOT PROVED"
            found.tell(f"{mark} {proof['claim']} ({proof['seconds']:.1f} s): {proof['detail'][:400]}")


def drill(found: Findings) -> None:
    """The text encoder is moved to the CPU while cuda is requested; the checks flag that video."""
    if read_settings().device == "cpu":
        found.tell(f"{NEEDS_GPU}: the other device is the CPU")
        return
    with own_home(), tempfile.TemporaryDirectory() as folder, moved_to_the_cpu():
        outcome = ingest_one(write_clip(Path(folder), 0), open_database())
    flagged = any("asked to run on" in message for message in outcome.failed_checks)
    found.tell(f"{'FLAGGED' if flagged else 'NOT FLAGGED'}; result {outcome.result}", checks=outcome.failed_checks)
    for message in outcome.failed_checks:
        found.tell(f"  {message[:300]}")


def memory(found: Findings) -> None:
    """On a GPU that something else has filled, a model that does not fit is refused, and a batch that does not is halved."""
    if read_settings().device == "cpu":
        found.tell(NEEDS_GPU)
        return
    from bench.gpu.stage_calls import stage_calls

    with own_home():
        device = require_device("cuda")
        calls = {stage: work for stage, work, _ in stage_calls(min(lengths()[0], 2.0)) if stage != "text_embeddings"}
        encoder, texts = Models().text_encoder(device), _long_texts()
        expected = encoder.encode(texts)
        for left_mb in LEFT_MB:
            with filled(left_mb) as free_mb:
                results = [
                    _try_fit(device),
                    _try_texts(encoder, texts, expected),
                    *(_try_stage(*call) for call in calls.items()),
                ]
            found.tell(f"{free_mb:.0f} MB free: {'; '.join(results)}")


@contextmanager
def filled(left_mb: int) -> Iterator[float]:
    """Fill the GPU with tensors up to this much free memory; yields the megabytes that are really free."""
    import torch

    torch.cuda.empty_cache()
    taken = []
    while (size := torch.cuda.mem_get_info()[0] - left_mb * MEBIBYTE) > 0:  # free memory may be fragmented
        try:
            taken.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            left_mb += 2
    yield torch.cuda.mem_get_info()[0] / MEBIBYTE
    taken.clear()
    torch.cuda.empty_cache()


def _long_texts() -> list[str]:
    texts = passages()
    return [" ".join(texts[index : index + 8]) for index in range(2000)]


def _try_fit(device: Device) -> str:
    try:
        require_memory(device, SETS["bundled"].speech)
    except EarshotError as error:
        return f"whisper refused: {error}"
    return "whisper fits"


def _try_texts(encoder: TextEncoder, texts: Sequence[str], expected: np.ndarray) -> str:
    tally = CallCounter()
    try:
        alike = float((encoder.encode(texts, tally) * expected).sum(axis=1).min())
    except EarshotError as error:
        return f"texts: {type(error).__name__}: {error}"
    return f"texts done, halved {tally.memory_retries} times to {tally.batch_size}, cosine {alike:.4f} at least"


def _try_stage(stage: str, work: Callable[[], object]) -> str:
    try:
        work()
    except (EarshotError, RuntimeError) as error:
        return f"{stage}: {type(error).__name__}: {str(error)[:160]}"
    return f"{stage} done"
