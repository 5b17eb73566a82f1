"""earshot.toml: the settings of earshot/config/settings.py in a file, beneath those of the environment.

The file lies in the clone, or where EARSHOT_SETTINGS says. Its keys are the names of the variables in lower case without
`EARSHOT_`, and `hf_token`. `read_values()` says for each variable what it was given, and where; what a value means, and whether
it is allowed, earshot/config/settings.py decides. Read on each call, so that every process sees the file as it is now.
"""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earshot.common.errors import Misconfigured
from earshot.config.yaml_errors import Problems, called, quoted, read_text, suggestion

PROJECT_ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "EARSHOT_SETTINGS"
KEYS = (
    "home", "database_url", "media", "device", "models", "alert_url", "alert_quiet_hours", "sources", "people", "workers",
    "worker_memory_gb", "broker", "monologue", "allow_private_addresses", "hf_token",
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """What a setting was given: `text`, "" where it was not; `named` is what an error calls it.

    `folder` is where a relative path starts, None for the folder that the user is in.
    """

    text: str
    named: str
    folder: Path | None = None


def settings_path() -> Path:
    """The file, which need not be there. Raises Misconfigured for a relative path, which would be another file elsewhere."""
    chosen = Path(os.environ.get(VARIABLE) or PROJECT_ROOT / "earshot.toml").expanduser()
    if not chosen.is_absolute():
        raise Misconfigured(f"{VARIABLE} is {str(chosen)!r}, a relative path.", f"Write it in full: {chosen.resolve()}.")
    return chosen


def read_values() -> dict[str, Value]:
    """What each setting was given, by its key: the environment wins over the file. Raises Misconfigured."""
    written = _written(settings_path())
    return {key: _of_environment(key) or written.get(key) or Value("", variable_of(key)) for key in KEYS}


def origins() -> dict[str, list[str]]:
    """The keys that the environment sets, and those that the file does."""
    set_here = [key for key in KEYS if _of_environment(key)]
    return {"environment": set_here, "file": [key for key in _written(settings_path()) if key not in set_here]}


def variable_of(key: str) -> str:
    """The variable of a key."""
    return "HF_TOKEN" if key == "hf_token" else f"EARSHOT_{key.upper()}"


def _of_environment(key: str) -> Value | None:
    text = os.environ.get(variable_of(key))
    return Value(text, variable_of(key)) if text else None


def _written(path: Path) -> dict[str, Value]:
    """What the file gives, by key."""
    try:
        text = read_text(path, VARIABLE)
    except FileNotFoundError as error:
        if path == PROJECT_ROOT / "earshot.toml":
            return {}
        raise Misconfigured(f"There is no file {path}.", f"Write it, or correct {VARIABLE}.") from error
    problems = Problems(path)
    given = _parsed(text, problems)
    values = {key: _value(key, given[key], path, text, problems) for key in given}
    problems.raise_if_any()
    return values


def _parsed(text: str, problems: Problems) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(at[1]) if at and at[1] else text.count("\n") + 1
        said = str(error)[: at.start()] if at else str(error)
        problems.add(line, f"not TOML: {said}.", 'Write one `key = "value"` per line, text between quotes.')
        return {}


def _value(key: str, given: Any, path: Path, text: str, problems: Problems) -> Value:
    line = _line_of(key, text)
    if key not in KEYS:
        problems.add(line, f"unknown key {quoted(key)}.", suggestion(key, KEYS))
    elif isinstance(given, bool) or not isinstance(given, str | int | float):
        given = _shape(given)
        if given not in ("true", "false"):
            problems.add(line, f"{key} is {given}.", "Allowed: a text, a number, true or false.")
    elif given == "":
        problems.add(line, f"{key} is empty.", "Give it a value, or remove the line.")
    return Value(str(given), f"{called(path)}, line {line}: {key}", path.parent)


def _shape(given: object) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    return "a table" if isinstance(given, dict) else "a list" if isinstance(given, list) else "a date or time"


def _line_of(key: str, text: str) -> int:
    """The line that sets a key, or that begins its table; the first where TOML's freedom hides it."""
    found = re.search(rf"""^\s*\[?\[?\s*["']?{re.escape(key)}["']?\s*[\]=.]""", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1
