"""`earshot doctor`: is everything there? Each claim proved by doing it, each failure with its remedy."""

import importlib.metadata
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from ingest_assets.cli.output import json_option, print_json
from resources.database import open_database
from resources.errors import EarshotError
from resources.gpu import require_device
from resources.model_files import locate
from resources.models import model_set
from resources.settings import read_settings


@dataclass(frozen=True)
class Finding:
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


def _prove(claim: str, proof: Callable[[], str]) -> Finding:
    started = time.perf_counter()
    try:
        proved, detail = True, proof()
    except EarshotError as error:
        proved, detail = False, str(error)
    return Finding(claim, proved, detail, time.perf_counter() - started)


def _settings() -> str:
    settings = read_settings()
    return f"home {settings.home}, models {settings.models}, media {settings.media}"


def _libraries() -> str:
    names = ("dagster", "torch", "ctranslate2", "faster-whisper", "pyannote.audio", "sentence-transformers", "yt-dlp")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _device() -> str:
    device = require_device(read_settings().device)
    return f"{device.kind} ({device.name})"


def _models() -> str:
    settings = read_settings()
    chosen = model_set(settings)
    models = (chosen.speech, chosen.diarization, chosen.voice, chosen.text)
    for model in models:
        locate(model, settings)
    return f"{chosen.name}: {', '.join(model.name for model in models)}; every file is the pinned one"


def _database() -> str:
    row = open_database().query(
        "SELECT current_setting('server_version') AS postgres, "
        "(SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector, "
        "(SELECT max(version) FROM schema_migrations) AS schema, (SELECT count(*) FROM videos) AS videos"
    )[0]
    return f"PostgreSQL {row['postgres']}, pgvector {row['pgvector']}, schema {row['schema']}, {row['videos']} videos"


def _dagster() -> str:
    from ingest_assets.instance import open_instance

    instance = open_instance()
    return f"its instance answers, {instance.get_runs_count()} runs"


PROOFS: dict[str, Callable[[], str]] = {
    "settings": _settings,
    "libraries": _libraries,
    "device": _device,
    "models": _models,
    "database": _database,
    "Dagster": _dagster,
}
