"""Settings: everything a user chooses, read from the environment, and from earshot.toml what that does not set.

| variable | default | meaning |
|---|---|---|
| `EARSHOT_HOME` | `.earshot/` in the clone | database, media, assembled models, Dagster's own files |
| `EARSHOT_DATABASE_URL` | the embedded server | a Postgres server with pgvector to use instead |
| `EARSHOT_MEDIA` | `$EARSHOT_HOME/media` | where audio is kept: a path, or a URL such as `s3://bucket/prefix` |
| `EARSHOT_DEVICE` | `cuda` | `cuda` or `cpu`; nothing else happens |
| `EARSHOT_MODELS` | `bundled` | `bundled` or `large`, see earshot/models/registry.py |
| `EARSHOT_ALERT_URL` | none | where failed checks, and sources that cannot be read, are sent, as a POST of JSON |
| `EARSHOT_ALERT_QUIET_HOURS` | `24` | how long a stage with the same cause is not told again |
| `EARSHOT_SOURCES` | `sources.yaml` in the clone | the sources that are watched, see earshot/config/sources_file.py |
| `EARSHOT_PEOPLE` | `people.yaml` in the clone | recordings of people, see earshot/config/people_file.py |
| `EARSHOT_WORKERS` | `2` | how many videos are at work at once: one computes while another is downloaded |
| `EARSHOT_WORKER_MEMORY_GB` | `8` | a worker that has more is replaced by a fresh one once its video is done |
| `EARSHOT_BROKER` | started by `earshot up` | a Redis or Valkey URL, for workers on several machines; `none`: no workers |
| `EARSHOT_MONOLOGUE` | `0` | `1`: the short way for a video of one enrolled voice, see earshot/speakers/voices/monologue.py |
| `EARSHOT_ALLOW_PRIVATE_ADDRESSES` | none | `1`: any source may lead to private and loopback addresses |
| `HF_TOKEN` | none | for the gated models of `large` |

The file is read by earshot/config/settings_file.py; docs/reference/settings.md explains it to users. Read on each call, never
at import, so that tests and subprocesses see what they set. Dagster's own settings are in dagster.yaml, and sources and people
have files of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from earshot.common.errors import Misconfigured
from earshot.config.settings_file import PROJECT_ROOT, Value, read_values
from earshot.config.source_options import address_shown

DEVICES = ("cuda", "cpu")
MODEL_SETS = ("bundled", "large")
BROKERS = ("redis://", "rediss://", "redis+socket://")
NO_BROKER = "none"
BOOLEANS: Mapping[str, bool] = {"": False, "0": False, "false": False, "1": True, "true": True}


@dataclass(frozen=True)
class Settings:
    """One reading of the environment and earshot.toml. `database_url` is None where the embedded server is used."""

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
    """The settings of this process; raises Misconfigured naming the setting, its value and what is allowed."""
    values = read_values()
    home = _home(values["home"])
    return Settings(
        home=home,
        database_url=values["database_url"].text or None,
        media=_media(values["media"], home),
        device=_choice(values["device"], DEVICES),
        models=_choice(values["models"], MODEL_SETS),
        hub_token=values["hf_token"].text or None,
        alert_url=_web_address(values["alert_url"]),
        alert_quiet_hours=_number(values["alert_quiet_hours"], 24.0, "a number of hours, 0 or more"),
        sources=_file(values["sources"], "sources.yaml"),
        people=_file(values["people"], "people.yaml"),
        workers=int(_number(values["workers"], 2, "a whole number, 0 or more", int)),
        worker_memory_gb=_number(values["worker_memory_gb"], 8.0, "a number of gigabytes, 0 or more"),
        broker=_broker(values["broker"]),
        monologue=_truth(values["monologue"]),
        allow_private_addresses=_truth(values["allow_private_addresses"]),
    )


def _home(value: Value) -> Path:
    home = _full(value).resolve() if value.text else PROJECT_ROOT / ".earshot"
    if any(character.isspace() for character in str(home)):
        raise Misconfigured(
            f"{value.named} is {str(home)!r}, and the embedded Postgres cannot live in a path with spaces.",
            "Set it to a path without any.",
        )
    return home


def _media(value: Value, home: Path) -> str:
    """A URL without a slash at its end, or the full path of a folder."""
    if "://" in value.text:
        return value.text.rstrip("/")
    return str(_full(value) if value.text else home / "media")


def _full(value: Value) -> Path:
    """A path that is the same from whatever folder a command is typed in; raises Misconfigured for another."""
    path = Path(value.text).expanduser()
    if not path.is_absolute() and value.folder is None:
        raise Misconfigured(
            f"{value.named} is {value.text!r}, a relative path: in each folder it would be another place.",
            f"Write it in full, such as {value.named}={path.resolve()}.",
        )
    return (value.folder or Path()) / path


def _file(value: Value, default: str) -> Path:
    if not value.text:
        return (PROJECT_ROOT / default).resolve()
    return ((value.folder or Path.cwd()) / Path(value.text).expanduser()).resolve()


def _choice(value: Value, allowed: tuple[str, ...]) -> str:
    chosen = value.text or allowed[0]
    if chosen not in allowed:
        raise Misconfigured(f"{value.named} is {chosen!r}.", f"Set it to one of: {', '.join(allowed)}.")
    return chosen


def _truth(value: Value) -> bool:
    if value.text not in BOOLEANS:
        raise Misconfigured(f"{value.named} is {value.text!r}.", "Set it to 1 or 0, in earshot.toml to true or false.")
    return BOOLEANS[value.text]


def _web_address(value: Value) -> str | None:
    if value.text and not value.text.startswith(("http://", "https://")):
        raise Misconfigured(
            f"{value.named} is {address_shown(value.text)}.", "Set it to a URL that begins with http:// or https://."
        )
    return value.text or None


def _broker(value: Value) -> str | None:
    if value.text and value.text != NO_BROKER and not value.text.startswith(BROKERS):
        raise Misconfigured(
            f"{value.named} is not the URL of a Redis or Valkey server.",  # which may hold a password: it is not repeated
            f"Set it to one that begins with one of {', '.join(BROKERS)}; or to {NO_BROKER}; or unset it.",
        )
    return value.text or None


def _number(value: Value, default: float, allowed: str, kind: type[int] | type[float] = float) -> float:
    text = value.text or str(default)
    try:
        number = kind(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number < float("inf"):
        raise Misconfigured(f"{value.named} is {text!r}.", f"Set it to {allowed}.")
    return number
