"""The user's files in a backup: sources.yaml, people.yaml, and earshot.toml without its secrets.

Restored, they replace a file only if it names no source and no person. Else, and always for earshot.toml, which is about a
machine, they are put beside the library, under EARSHOT_HOME/restored.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

from earshot.common.atomic_files import atomic_bytes
from earshot.config.settings import Settings
from earshot.config.settings_file import settings_path

SETTINGS = "earshot.toml"
RESTORED = "restored"
# Passwords, tokens, and addresses that contain them.
SECRET = frozenset(("database_url", "broker", "hf_token", "page_token", "alert_url"))


def user_files(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that there is."""
    for name, path in _places(settings).items():
        if path.is_file():
            yield name, path.read_bytes()
    if settings_path().is_file():
        yield SETTINGS, _without_secrets(settings_path().read_text()).encode()


def restore_file(settings: Settings, name: str, content: bytes) -> Path:
    """Write a file of the backup; returns where it is now."""
    place = _places(settings).get(name)
    if place is None or not _names_nothing(place):
        place = settings.home / RESTORED / name
        place.parent.mkdir(exist_ok=True)
    with atomic_bytes(place) as file:
        file.write(content)
    return place


def _places(settings: Settings) -> dict[str, Path]:
    return {"sources.yaml": settings.sources, "people.yaml": settings.people}


def _names_nothing(path: Path) -> bool:
    if not path.is_file():
        return True
    values = yaml.safe_load(path.read_text())
    return not values or (isinstance(values, dict) and not any(values.values()))


def _without_secrets(text: str) -> str:
    """The keys and values of earshot.toml, without comments: one could hold a secret."""
    values = tomllib.loads(text)
    kept = [f"{key} = {json.dumps(value)}\n" for key, value in values.items() if key not in SECRET]
    left_out = [f"# {key} was set; a backup has no secrets.\n" for key in values if key in SECRET]
    return "".join(kept + left_out)
