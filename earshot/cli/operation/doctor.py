"""`earshot doctor`: checks that everything works by using it, and prints a remedy for each failure.

Each check is timed. It loads every model and runs it once on the device, which takes half a minute on a CPU. Sources, the
receiver of alerts and the endpoints of webhooks are not contacted.
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
from earshot.common.errors import REINSTALL, EarshotError, Misconfigured, SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.common.text import pluralize
from earshot.config.settings import read_settings
from earshot.config.settings_file import origins, settings_path, variable_of
from earshot.integrations.webhooks.endpoints import read_endpoints
from earshot.models.cache import Models
from earshot.models.device import library_versions, require_device
from earshot.models.files import locate
from earshot.models.nvml import GpuSampler, driver_version
from earshot.models.registry import model_set
from earshot.storage.catalog.source_states import states_of
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import open_database
from earshot.storage.media_store import MediaStore, location_of

CHANGE_MEDIA = "Set it to a folder or a URL that you can write to."


@dataclass(frozen=True)
class ProofResult:
    """One claim: what proved it, or why it failed and what to do; and how many seconds the proof took."""

    claim: str
    proved: bool
    detail: str
    seconds: float


@click.command("doctor")
@json_option
def doctor(as_json: bool) -> None:
    """Check that the device, libraries, models and database work.

    Uses each of them once, which takes about half a minute, and prints what to do about each failure. Does not
    contact sources, the receiver of alerts or the endpoints of webhooks.
    """
    results = [_prove(claim, proof) for claim, proof in PROOFS.items()]
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            mark = click.style("✓", fg="green") if result.proved else click.style("✗", fg="red")
            click.echo(f"{mark} {result.claim}: {result.detail} ({result.seconds:.1f} s)")
    if not all(result.proved for result in results):
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
    """Where the settings come from; only names, because some values are secrets."""
    path, set_by = settings_path(), origins()
    environment = ", ".join(map(variable_of, set_by["environment"])) or "nothing"
    file = f"{path} sets {', '.join(set_by['file']) or 'nothing'}" if path.exists() else f"there is no {path}"
    return f"the environment sets {environment}, {file}; everything else is at its default"


def _sources() -> str:
    sources = watched_sources()
    states = states_of(open_database(), [source.address for source in sources])
    failing = [source.name for source, state in zip(sources, states, strict=True) if state.paused or state.failures]
    if failing:
        raise SourceUnusable(f"Cannot be read at the moment: {', '.join(failing)}.", "`earshot sources` shows why.")
    return f"{pluralize(len(sources), 'source')} in {read_settings().sources}" + (", none failing" if sources else "")


def _webhooks() -> str:
    endpoints = read_endpoints(read_settings().webhooks)
    return f"{pluralize(len(endpoints), 'endpoint')}{': ' * bool(endpoints)}{', '.join(one.name for one in endpoints)}"


def _libraries() -> str:
    dagster, downloader = (f"{name} {importlib.metadata.version(name)}" for name in ("dagster", "yt-dlp"))
    return f"{dagster}, {library_versions()}, {downloader}"


def _device() -> str:
    device = require_device(read_settings().device)
    if not device.uuid:
        return f"{device.kind} ({device.name})"
    sampler = GpuSampler(device.uuid)
    usage = sampler.use()
    sampler.close()
    return (
        f"{device.kind} ({device.name}, {device.uuid}), driver {driver_version()}, {usage.memory_peak_mb:.0f} MB in use; "
        "torch, ctranslate2 and NVML agree"
    )


def _models() -> str:
    settings = read_settings()
    chosen = model_set(settings)
    models = (chosen.speech, chosen.diarization, chosen.voice, chosen.text)
    for model in models:
        locate(model, settings)
    return f"{chosen.name}: {', '.join(model.name for model in models)}; all files have their pinned checksums"


def _models_at_work() -> str:
    models, device = Models(), require_device(read_settings().device)
    try:
        loaded = [load(device) for load in (models.transcriber, models.diarizer, models.voice_encoder, models.text_encoder)]
    except (RuntimeError, OSError) as error:  # torch or ctranslate2: a library is missing, or does not fit the device
        raise Misconfigured(
            f"The models do not run on {device.kind}: {error}.", f"{REINSTALL}; CUDA libraries must be CUDA 12."
        ) from error
    return ", ".join(f"{model.execution.model} {model.execution.compute_type}" for model in loaded) + f" ran on {device.kind}"


def _downloader() -> str:
    deno = Path(sys.executable).parent / "deno"
    try:
        version = subprocess.run([deno, "--version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise Misconfigured(f"deno, which yt-dlp needs for JavaScript, does not run: {error}.", f"{REINSTALL}.") from error
    return f"yt-dlp {importlib.metadata.version('yt-dlp')} with {version.stdout.splitlines()[0]}"


def _media_store() -> str:
    media, samples = without_secrets(read_settings().media), np.arange(-800, 800, dtype=np.int16)
    store = MediaStore()
    try:
        uri = store.write(".doctor", samples)
        read = store.read(uri)
        location_of(uri).unlink()
    except OSError as error:
        raise Misconfigured(f"EARSHOT_MEDIA is {media!r}, which cannot be written to: {error}.", CHANGE_MEDIA) from error
    if not np.array_equal(read, samples):
        raise Misconfigured(f"EARSHOT_MEDIA is {media!r}, which does not return the data written to it.", CHANGE_MEDIA)
    return f"wrote, read and removed a file in {media}"


def _database() -> str:
    row = open_database().query(
        "SELECT current_setting('server_version') AS postgres, "
        "(SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector, "
        "(SELECT max(version) FROM schema_migrations) AS schema, (SELECT count(*) FROM videos) AS videos"
    )[0]
    videos = pluralize(row["videos"], "video")
    return f"PostgreSQL {row['postgres']}, pgvector {row['pgvector']}, schema {row['schema']}, {videos}"


def _dagster() -> str:
    from resources.instance.home import open_instance

    instance = open_instance()
    return f"the instance answers, {pluralize(instance.get_runs_count(), 'run')}"


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
    "webhooks": _webhooks,
    "Dagster": _dagster,
}
