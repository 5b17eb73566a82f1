"""Settings: the user's choices, read from the environment and, for those it does not set, from earshot.toml.

docs/reference/settings.md explains each to users; earshot/config/settings_file.py reads the file. Settings are read on each
call, never at import, so that tests and subprocesses see changes. Dagster's own settings are in dagster.yaml; sources, people
and webhooks have their own files. This module avoids pydantic, which takes 0.2 s of CPU, because every command reads the
settings.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from earshot.config.mistakes import Mistakes
from earshot.config.settings_file import PROJECT_ROOT as PROJECT_ROOT
from earshot.config.settings_file import Value, project_folder, read_values, settings_path
from earshot.config.source_options import HIDDEN, address_shown

DEVICES = ("cuda", "cpu")
MODEL_SETS = ("bundled", "multilingual", "large")
BROKERS = ("redis://", "rediss://", "redis+socket://")
NO_BROKER = "none"
# As Dagster accepts them.
_OWNER = re.compile(r"team:\S[^,]*|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")
BOOLEANS: Mapping[str, bool] = {"0": False, "false": False, "1": True, "true": True}


@dataclass(frozen=True)
class Settings:
    """One reading of the environment and earshot.toml."""

    home: Path  # database, media, assembled models, Dagster's own files
    media: str  # the media store: a full path, or a URL such as s3://bucket/prefix, without a slash at the end
    sources: Path  # earshot/config/sources_file.py
    people: Path  # earshot/config/people_file.py
    database_url: str | None = None  # a Postgres server with pgvector; None: the embedded one
    device: str = "cuda"  # Earshot never falls back to the other one
    models: str = "bundled"  # earshot/models/registry.py
    hub_token: str | None = None  # of the Hugging Face hub, for the gated models of `large`
    alert_url: str | None = None  # receives failed checks and unreadable sources as a POST of JSON
    alert_quiet_hours: float = 24.0  # before an alert with the same stage and cause is repeated
    workers: int = 2  # videos processed at a time: one computes while another downloads
    worker_memory_gb: float = 8.0  # a worker that uses more is replaced after its video
    broker: str | None = None  # for workers on several machines, or NO_BROKER; None: the one that `earshot up` starts
    webhooks: Path = PROJECT_ROOT / "webhooks.yaml"  # earshot/integrations/webhooks/endpoints.py
    monologue: bool = False  # shortcut for videos with one enrolled voice (earshot/speakers/voices/monologue.py)
    allow_private_addresses: bool = False  # for every source
    page_token: str | None = None  # asked for by a page that other machines can reach
    page_proxies: tuple[str, ...] = ("127.0.0.1", "::1")  # reverse proxies of the page, which say whether browsers use https
    owners: tuple[str, ...] = ()  # of every asset in Dagster's UI: e-mail addresses and teams

    @property
    def broker_url(self) -> str | None:
        """The broker that queues runs for workers; None if it is not set, or each run is its own process."""
        return None if self.broker == NO_BROKER else self.broker


def read_settings() -> Settings:
    """The settings of this process. Raises InvalidConfig with every invalid setting, its value and what is allowed."""
    mistakes = Mistakes(settings_path())
    read = {FIELDS.get(key, key): _read(value, mistakes) for key, value in read_values(mistakes).items()}
    mistakes.raise_if_any()
    project = project_folder()
    home = read.get("home", project / ".earshot")
    files = {name: (project / f"{name}.yaml").resolve() for name in ("sources", "people")}
    return Settings(**{"home": home, "media": str(home / "media"), **files, **read})


def _read(value: Value, mistakes: Mistakes) -> Any:
    """The value of a setting; None if it is invalid."""
    try:
        return READERS[value.key](value) if value.key in READERS else value.text
    except (ValueError, RuntimeError) as error:  # RuntimeError: the home of a user who does not exist
        shown = SHOWS.get(value.key, repr)(value.text)
        remedy = str(error) if isinstance(error, ValueError) else "Write the path in full: there is no such user."
        mistakes.add(value.line, value.key, shown, f"{value.name} is {shown}.", remedy)
        return None


# --- readers; the text of their ValueError is the remedy -------------------------------------------------------------------


def _home(value: Value) -> Path:
    home = _full(value).resolve()
    if any(character.isspace() for character in str(home)):
        raise ValueError("Set it to a path without spaces: the embedded Postgres cannot live in one with them.")
    return home


def _media(value: Value) -> str:
    return value.text.rstrip("/") if "://" in value.text else str(_full(value))


def _full(value: Value) -> Path:
    """An absolute path, which does not depend on the working directory."""
    path = Path(value.text).expanduser()
    if not path.is_absolute() and value.folder is None:
        raise ValueError(
            f"A relative path would be another place in each folder: write it in full, such as {value.name}={path.resolve()}."
        )
    return (value.folder or Path()) / path


def _file(value: Value) -> Path:
    return ((value.folder or Path.cwd()) / Path(value.text).expanduser()).resolve()


def _one_of(allowed: tuple[str, ...], value: Value) -> str:
    if value.text not in allowed:
        raise ValueError(f"Set it to one of: {', '.join(allowed)}.")
    return value.text


def _truth(value: Value) -> bool:
    if value.text not in BOOLEANS:
        raise ValueError("Set it to 1 or 0, in earshot.toml to true or false.")
    return BOOLEANS[value.text]


def _url(beginnings: tuple[str, ...], also: str, value: Value) -> str:
    if not value.text.startswith(beginnings) and value.text != also:
        raise ValueError(f"Set it to a URL that begins with {' or '.join(beginnings)}{also and f', or to {also}'}.")
    return value.text


def _number(kind: type[int] | type[float], value: Value) -> float:
    with suppress(ValueError):
        if 0 <= (number := kind(value.text)) < float("inf"):
            return number
    raise ValueError(f"Set it to a {'whole ' * (kind is int)}number, 0 or more.")


def _owners(value: Value) -> tuple[str, ...]:
    owners = tuple(owner.strip() for owner in value.text.split(","))
    if not all(_OWNER.fullmatch(owner) for owner in owners):
        raise ValueError("Set it to e-mail addresses and teams with commas between them: ada@example.com, team:audio.")
    return owners


def _networks(value: Value) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(text.strip(), strict=False)) for text in value.text.split(","))
    except ValueError:
        raise ValueError("Set it to addresses or networks with commas between them: 127.0.0.1, 172.16.0.0/12.") from None


READERS: Mapping[str, Callable[[Value], Any]] = {
    "home": _home,
    "media": _media,
    "sources": _file,
    "people": _file,
    "webhooks": _file,
    "device": partial(_one_of, DEVICES),
    "models": partial(_one_of, MODEL_SETS),
    "alert_url": partial(_url, ("http://", "https://"), ""),
    "alert_quiet_hours": partial(_number, float),
    "workers": partial(_number, int),
    "worker_memory_gb": partial(_number, float),
    "broker": partial(_url, BROKERS, NO_BROKER),
    "monologue": _truth,
    "allow_private_addresses": _truth,
    "page_proxies": _networks,
    "owners": _owners,
}
FIELDS = {"hf_token": "hub_token"}  # fields of `Settings` with a different key
SHOWS: Mapping[str, Callable[[str], str]] = {"alert_url": address_shown, "broker": lambda _: HIDDEN}
