"""`earshot doctor`: is everything there, and does it work? Each claim is proved by doing it; each failure has its remedy.

Each proof is timed. The models are loaded and run once on the device, which takes half a minute on a CPU. What needs something
outside this machine (a channel's site, the receiver of alerts) is not asked.
"""

import importlib.metadata
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from earshot.cli.output import json_option, print_json
from earshot.common.errors import EarshotError, Misconfigured, SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.config.settings import read_settings
from earshot.config.settings_file import origins, settings_path, variable_of
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.files import locate
from earshot.models.nvml import GpuSampler, driver_version
from earshot.models.registry import model_set
from earshot.storage.catalog.source_states import states_of
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import open_database
from earshot.storage.media_store import MediaStore, location_of


@dataclass(frozen=True)
class ProofResult:
    """One claim: what was proved, or why not and what to do; and how long the proof took."""

    claim: str
    proved: bool
    detail: str
    seconds: float


@click.command("doctor")
@json_option
def doctor(as_json: bool) -> None:
    """Prove that device, libraries, models and database work."""
    findings = [_prove(claim, proof) for claim, proof in PROOFS.items()]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = click.style("✓", fg="green") if finding.proved else click.style("✗", fg="red")
            click.echo(f"{mark} {finding.claim}: {finding.detail} ({finding.seconds:.1f} s)")
    if not all(finding.proved for finding in findings):
        sys.exit(1)


def _prove(claim: str, proof: Callable[[], str]) -> ProofResult:
    started = time.perf_counter()
    try:
        proved, detail = True, proof()
    except EarshotError as error:
        proved, detail = False, str(error)
    return ProofResult(claim, proved, detail, time.perf_counter() - started)


def _settings() -> str:
    settings = read_settings()
    alerts = without_secrets(settings.alert_url) if settings.alert_url else "the log only"
    media = without_secrets(settings.media)
    return f"home {settings.home}, models {settings.models}, media {media}, alerts to {alerts}; {_origins()}"


def _origins() -> str:
    """Where the settings come from; names alone, for some values are secrets."""
    path, set_by = settings_path(), origins()
    environment = ", ".join(map(variable_of, set_by["environment"])) or "nothing"
    written = f"{path} sets {', '.join(set_by['file']) or 'nothing'}" if path.exists() else f"there is no {path}"
    return f"the environment sets {environment}, {written}, the rest is as usual"


def _sources() -> str:
    sources = watched_sources()
    states = states_of(open_database(), [source.address for source in sources])
    failing = [source.name for source, state in zip(sources, states, strict=True) if state.paused or state.failures]
    if failing:
        raise SourceUnusable(f"{', '.join(failing)}: cannot be read at the moment.", "`earshot sources` says why.")
    return f"{read_settings().sources} names {len(sources) or 'none'}" + (", and none of them fails" if sources else "")


def _libraries() -> str:
    names = ("dagster", "torch", "ctranslate2", "faster-whisper", "pyannote.audio", "sentence-transformers", "yt-dlp")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _device() -> str:
    device = require_device(read_settings().device)
    if not device.uuid:
        return f"{device.kind} ({device.name}), as asked"
    sampler = GpuSampler(device.uuid)
    use = sampler.use()
    sampler.close()
    return (
        f"{device.kind} ({device.name}, {device.uuid}), driver {driver_version()}, {use.memory_peak_mb:.0f} MB in use; "
        "torch, ctranslate2 and NVML agree"
    )


def _models() -> str:
    settings = read_settings()
    chosen = model_set(settings)
    models = (chosen.speech, chosen.diarization, chosen.voice, chosen.text)
    for model in models:
        locate(model, settings)
    return f"{chosen.name}: {', '.join(model.name for model in models)}; every file is the pinned one"


def _models_at_work() -> str:
    models, device = Models(), require_device(read_settings().device)
    try:
        loaded = [load(device) for load in (models.transcriber, models.diarizer, models.voice_encoder, models.text_encoder)]
    except (RuntimeError, OSError) as error:  # of torch and ctranslate2: a library is missing, or does not fit the device
        raise Misconfigured(
            f"They do not run on {device.kind}: {error}.", "Run `make env`; CUDA libraries must be CUDA 12."
        ) from error
    return ", ".join(f"{model.execution.model} {model.execution.compute_type}" for model in loaded) + f", run on {device.kind}"


def _downloader() -> str:
    deno = Path(sys.executable).parent / "deno"
    try:
        answer = subprocess.run([deno, "--version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise Misconfigured(f"The JavaScript runtime that yt-dlp needs does not run: {error}.", "Run `make env`.") from error
    return f"yt-dlp {importlib.metadata.version('yt-dlp')} with {answer.stdout.splitlines()[0]}"


def _media_store() -> str:
    media, samples = read_settings().media, np.arange(-800, 800, dtype=np.int16)
    store = MediaStore()
    try:
        uri = store.write(".doctor", samples)
        read = store.read(uri)
        location_of(uri).unlink()
    except OSError as error:
        raise Misconfigured(f"EARSHOT_MEDIA is {media!r}, and cannot be written: {error}.", "Choose another place.") from error
    if not np.array_equal(read, samples):
        raise Misconfigured(f"EARSHOT_MEDIA is {media!r}, and does not give back what is written.", "Choose another place.")
    return f"{media}: written, read back, removed"


def _database() -> str:
    row = open_database().query(
        "SELECT current_setting('server_version') AS postgres, "
        "(SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector, "
        "(SELECT max(version) FROM schema_migrations) AS schema, (SELECT count(*) FROM videos) AS videos"
    )[0]
    return f"PostgreSQL {row['postgres']}, pgvector {row['pgvector']}, schema {row['schema']}, {row['videos']} videos"


def _dagster() -> str:
    from resources.instance.home import open_instance

    instance = open_instance()
    return f"its instance answers, {instance.get_runs_count()} runs"


PROOFS: dict[str, Callable[[], str]] = {
    "settings": _settings,
    "libraries": _libraries,
    "device": _device,
    "model files": _models,
    "models at work": _models_at_work,
    "downloader": _downloader,
    "media store": _media_store,
    "database": _database,
    "sources": _sources,
    "Dagster": _dagster,
}
