"""Settings: everything a user chooses, read from the environment.

| variable | default | meaning |
|---|---|---|
| `EARSHOT_HOME` | `.earshot/` in the clone | database, media, assembled models, Dagster's own files |
| `EARSHOT_DATABASE_URL` | the embedded server | a Postgres server with pgvector to use instead |
| `EARSHOT_MEDIA` | `$EARSHOT_HOME/media` | where audio is kept: a path, or a URL such as `s3://bucket/prefix` |
| `EARSHOT_DEVICE` | `cuda` | `cuda` or `cpu`; nothing else happens |
| `EARSHOT_MODELS` | `bundled` | `bundled` or `large`, see resources/models.py |
| `EARSHOT_ALERT_URL` | none | where failed checks are sent, as a POST of JSON |
| `EARSHOT_ALERT_QUIET_HOURS` | `24` | how long a stage with the same cause is not told again |
| `EARSHOT_SOURCES` | `sources.yaml` in the clone | the sources that are watched, see resources/source_file.py |
| `EARSHOT_PEOPLE` | `people.yaml` in the clone | recordings of people, see resources/people_file.py |
| `EARSHOT_WORKERS` | `2` | how many videos are at work at once: one computes while another is downloaded |
| `EARSHOT_WORKER_MEMORY_GB` | `8` | a worker that has more is replaced by a fresh one once its video is done |
| `EARSHOT_BROKER` | started by `earshot up` | a Redis or Valkey URL, for workers on several machines; `none`: no workers |
| `EARSHOT_MONOLOGUE` | `0` | `1`: the short way for a video of one enrolled voice, see ingest_assets/monologue.py |
| `EARSHOT_ALLOW_PRIVATE_ADDRESSES` | none | `1`: any source may lead to private and loopback addresses |
| `HF_TOKEN` | none | for the gated models of `large` |

Read on each call, never at import, so that tests and subprocesses see what they set. Not a configuration file: Dagster's
own is dagster.yaml, and sources and people have theirs.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from resources.errors import Misconfigured

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DEVICES = ("cuda", "cpu")
MODEL_SETS = ("bundled", "large")
BROKERS = ("redis://", "rediss://", "redis+socket://")
NO_BROKER = "none"


@dataclass(frozen=True)
class Settings:
    """One reading of the environment. `database_url` is None where the embedded server is used."""

    home: Path
    database_url: str | None
    media: str
    device: str
    models: str
    hub_token: str | None
    alert_url: str | None
    alert_quiet_hours: float
    sources: Path
    people: Path
    workers: int
    worker_memory_gb: float
    broker: str | None
    monologue: bool
    allow_private_addresses: bool

    @property
    def broker_url(self) -> str | None:
        """Where runs are left for workers; None where each run is a process of its own."""
        return None if self.broker == NO_BROKER else self.broker


def read_settings() -> Settings:
    """The settings of this process; raises Misconfigured naming the variable, its value and what is allowed."""
    home = _home()
    return Settings(
        home=home,
        database_url=os.environ.get("EARSHOT_DATABASE_URL") or None,
        media=_media(home),
        device=_choice("EARSHOT_DEVICE", DEVICES),
        models=_choice("EARSHOT_MODELS", MODEL_SETS),
        hub_token=os.environ.get("HF_TOKEN") or None,
        alert_url=_web_address("EARSHOT_ALERT_URL"),
        alert_quiet_hours=_number("EARSHOT_ALERT_QUIET_HOURS", 24.0, "a number of hours, 0 or more"),
        sources=_file("EARSHOT_SOURCES", "sources.yaml"),
        people=_file("EARSHOT_PEOPLE", "people.yaml"),
        workers=int(_number("EARSHOT_WORKERS", 2, "a whole number, 0 or more", int)),
        worker_memory_gb=_number("EARSHOT_WORKER_MEMORY_GB", 8.0, "a number of gigabytes, 0 or more"),
        broker=_broker(),
        monologue=_choice("EARSHOT_MONOLOGUE", ("0", "1")) == "1",
        allow_private_addresses=_choice("EARSHOT_ALLOW_PRIVATE_ADDRESSES", ("0", "1")) == "1",
    )


def _home() -> Path:
    chosen = Path(os.environ.get("EARSHOT_HOME") or PROJECT_ROOT / ".earshot").expanduser()
    _refuse_relative("EARSHOT_HOME", chosen)
    home = chosen.resolve()
    if any(character.isspace() for character in str(home)):
        raise Misconfigured(
            f"EARSHOT_HOME is {str(home)!r}, and the embedded Postgres cannot live in a path with spaces.",
            "Set EARSHOT_HOME to a path without any.",
        )
    return home


def _media(home: Path) -> str:
    """A URL as it is, or the full path of a folder."""
    value = os.environ.get("EARSHOT_MEDIA") or str(home / "media")
    if "://" in value:
        return value.rstrip("/")
    folder = Path(value).expanduser()
    _refuse_relative("EARSHOT_MEDIA", folder)
    return str(folder)


def _refuse_relative(variable: str, path: Path) -> None:
    """A library must be the same one from whatever folder a command is typed in."""
    if not path.is_absolute():
        raise Misconfigured(
            f"{variable} is {str(path)!r}, a relative path: in each folder it would be another place.",
            f"Write it in full, such as {variable}={path.resolve()}.",
        )


def _file(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or PROJECT_ROOT / default).expanduser().resolve()


def _choice(variable: str, allowed: tuple[str, ...]) -> str:
    value = os.environ.get(variable) or allowed[0]
    if value not in allowed:
        raise Misconfigured(f"{variable} is {value!r}.", f"Set it to one of: {', '.join(allowed)}.")
    return value


def _web_address(variable: str) -> str | None:
    value = os.environ.get(variable) or None
    if value is not None and not value.startswith(("http://", "https://")):
        raise Misconfigured(f"{variable} is {value!r}.", "Set it to a URL that begins with http:// or https://.")
    return value


def _broker() -> str | None:
    value = os.environ.get("EARSHOT_BROKER") or None
    if value is not None and value != NO_BROKER and not value.startswith(BROKERS):
        raise Misconfigured(
            "EARSHOT_BROKER is not the URL of a Redis or Valkey server.",  # which may hold a password: it is not repeated
            f"Set it to one that begins with one of {', '.join(BROKERS)}; or to {NO_BROKER}; or unset it.",
        )
    return value


def _number(variable: str, default: float, allowed: str, kind: type[int] | type[float] = float) -> float:
    value = os.environ.get(variable) or str(default)
    try:
        number = kind(value)
    except ValueError:
        number = -1.0
    if not 0.0 <= number < float("inf"):
        raise Misconfigured(f"{variable} is {value!r}.", f"Set it to {allowed}.")
    return number
