"""earshot.toml: the settings of earshot/config/settings.py in a file, beneath those of the environment.

The file lies in the clone, or where EARSHOT_SETTINGS says. Its keys are the names of the variables in lower case without
`EARSHOT_`, and `hf_token`. What a value means, and whether it is allowed, earshot/config/settings.py decides.
"""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earshot.common.errors import Misconfigured
from earshot.config.mistakes import Mistakes, read_text

PROJECT_ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "EARSHOT_SETTINGS"
KEYS = (
    "home", "database_url", "media", "device", "models", "alert_url", "alert_quiet_hours", "sources", "people", "workers",
    "worker_memory_gb", "broker", "monologue", "allow_private_addresses", "hf_token",
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """What a setting was given: by the environment, or on a line of earshot.toml, in whose folder relative paths start."""

    key: str
    text: str
    line: int | None = None
    folder: Path | None = None

    @property
    def name(self) -> str:
        """What the user calls the setting where he wrote it."""
        return self.key if self.line else variable_of(self.key)


def settings_path() -> Path:
    """The file, which need not be there. Raises Misconfigured for a relative path, which would be another file elsewhere."""
    chosen = Path(os.environ.get(VARIABLE) or PROJECT_ROOT / "earshot.toml").expanduser()
    if not chosen.is_absolute():
        raise Misconfigured(f"{VARIABLE} is {str(chosen)!r}, a relative path.", f"Write it in full: {chosen.resolve()}.")
    return chosen


def read_values(mistakes: Mistakes) -> dict[str, Value]:
    """What is set, by key: the environment wins over the file. Raises Misconfigured where the file cannot be read."""
    written = _written(settings_path(), mistakes)
    return {key: value for key in KEYS if (value := _of_environment(key) or written.get(key))}


def origins() -> dict[str, list[str]]:
    """The keys that the environment sets, and those that the file does. Raises Misconfigured where the file is wrong."""
    mistakes = Mistakes(settings_path())
    values = read_values(mistakes).values()
    mistakes.raise_if_any()
    return {
        "environment": [value.key for value in values if value.line is None],
        "file": [value.key for value in values if value.line],
    }


def variable_of(key: str) -> str:
    """The variable of a key."""
    return "HF_TOKEN" if key == "hf_token" else f"EARSHOT_{key.upper()}"


def _of_environment(key: str) -> Value | None:
    text = os.environ.get(variable_of(key))
    return Value(key, text) if text else None


def _written(path: Path, mistakes: Mistakes) -> dict[str, Value]:
    """What the file gives, by key."""
    text = read_text(path, VARIABLE, may_miss=path == PROJECT_ROOT / "earshot.toml")
    return _values(_parsed(text, mistakes), text, path.parent, mistakes)


def _parsed(text: str, mistakes: Mistakes) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(at[1]) if at and at[1] else text.count("\n") + 1
        said = str(error)[: at.start()] if at else str(error)
        mistakes.add(line, "", "", f"not TOML: {said}.", 'Write one `key = "value"` per line, text between quotes.')
        return {}


def _values(given: dict[str, Any], text: str, folder: Path, mistakes: Mistakes) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key, value in given.items():
        line = _line_of(key, text)
        if key not in KEYS:
            mistakes.add_unknown_key(line, key, KEYS, "the file")
        elif not isinstance(value, str | int | float):
            shape = "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a date or time"
            mistakes.add(line, key, shape, f"{key} is {shape}.", "Allowed: a text, a number, true or false.")
        elif value == "":
            mistakes.add(line, key, "empty", f"{key} is empty.", "Give it a value, or remove the line.")
        else:
            values[key] = Value(key, str(value).lower() if isinstance(value, bool) else str(value), line, folder)
    return values


def _line_of(key: str, text: str) -> int:
    """The line that sets a key, or that begins its table; the first where TOML's freedom hides it."""
    found = re.search(rf"""^\s*\[?\[?\s*["']?{re.escape(key)}["']?\s*[\]=.]""", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1
