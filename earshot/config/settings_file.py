"""earshot.toml: settings in a file, which the environment overrides.

The file is in the project folder, or at EARSHOT_SETTINGS. Its keys are the names of the variables in lower case without
`EARSHOT_`, and `hf_token`. earshot/config/settings.py interprets and validates the values.
"""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earshot.common.errors import Misconfigured
from earshot.config.mistakes import Mistakes, read_text

PROJECT_ROOT = Path(__file__).resolve().parents[2]  # the clone or, installed from a wheel, the folder of its packages
VARIABLE = "EARSHOT_SETTINGS"
LINES = 'Write one `key = "value"` per line, text between quotes.'
FILE = "earshot.toml"
MOST_BITS = 64  # of a number
MOST_BYTES = 16 << 10  # tomllib takes memory that grows with the square of a key
KEYS = (
    "home", "database_url", "media", "device", "models", "alert_url", "alert_quiet_hours", "sources", "people", "webhooks",
    "workers", "worker_memory_gb", "broker", "monologue", "allow_private_addresses", "hf_token", "page_token",
    "page_proxies", "owners",
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A setting's value, from the environment or a line of earshot.toml, whose folder is the base of relative paths."""

    key: str
    text: str
    line: int | None = None
    folder: Path | None = None

    @property
    def name(self) -> str:
        """The setting's name where the user set it: the key or the variable."""
        return self.key if self.line else variable_of(self.key)


def in_clone() -> bool:
    """Whether this code is in a clone, and not installed from a wheel."""
    return (PROJECT_ROOT / "pyproject.toml").exists()


def project_folder() -> Path:
    """The folder of earshot.toml, sources.yaml, people.yaml, dagster.yaml and, by default, the library.

    In a clone, the clone. From a wheel, that of EARSHOT_SETTINGS if it is set, else the working directory or the nearest folder
    above it with an earshot.toml, which `earshot init` writes. Raises Misconfigured if there is none.
    """
    if in_clone():
        return PROJECT_ROOT
    if os.environ.get(VARIABLE):
        return settings_path().parent
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder
    raise Misconfigured(
        f"There is no {FILE} in {here}, nor in a folder above it.",
        f"Run Earshot in a folder that `earshot init FOLDER` has made, or set {VARIABLE} to its {FILE}.",
    )


def settings_path() -> Path:
    """The file, which need not exist. Raises Misconfigured for a relative path, which depends on the working directory."""
    chosen = Path(os.environ.get(VARIABLE) or project_folder() / FILE).expanduser()
    if not chosen.is_absolute():
        raise Misconfigured(f"{VARIABLE} is {str(chosen)!r}, a relative path.", f"Write it in full: {chosen.resolve()}.")
    return chosen


def read_values(mistakes: Mistakes) -> dict[str, Value]:
    """The values that are set, by key; the environment overrides the file. Raises Misconfigured if it cannot be read."""
    in_file = _read_file(settings_path(), mistakes)
    return {key: value for key in KEYS if (value := _of_environment(key) or in_file.get(key))}


def origins() -> dict[str, list[str]]:
    """The keys set by the environment, and those set by the file. Raises Misconfigured if the file is invalid."""
    mistakes = Mistakes(settings_path())
    values = read_values(mistakes).values()
    mistakes.raise_if_any()
    return {
        "environment": [value.key for value in values if value.line is None],
        "file": [value.key for value in values if value.line],
    }


def variable_of(key: str) -> str:
    """The environment variable of a key."""
    return "HF_TOKEN" if key == "hf_token" else f"EARSHOT_{key.upper()}"


def _of_environment(key: str) -> Value | None:
    text = os.environ.get(variable_of(key))
    return Value(key, text) if text else None


def _read_file(path: Path, mistakes: Mistakes) -> dict[str, Value]:
    """The file's values, by key."""
    text = read_text(path, VARIABLE, may_miss=path == PROJECT_ROOT / FILE, most_bytes=MOST_BYTES)
    return _values(_parsed(text, mistakes), text, path.parent, mistakes)


def _parsed(text: str, mistakes: Mistakes) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(at[1]) if at and at[1] else text.count("\n") + 1
        message = str(error)[: at.start()] if at else str(error)
        mistakes.add(line, "", "", f"not TOML: {message}.", LINES)
    except RecursionError:
        mistakes.add(1, "", "", "not TOML that Earshot reads: it is nested too deeply.", LINES)
    except ValueError:  # of int(), which takes at most 4300 digits
        mistakes.add(1, "", "", "there is a number of thousands of digits.", LINES)
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
        elif isinstance(value, int) and value.bit_length() > MOST_BITS:
            mistakes.add(
                line, key, "a long number", f"{key} is a number of {value.bit_length()} bits.", "Allowed: a smaller one."
            )
        elif isinstance(value, str) and "\0" in value:
            mistakes.add(line, key, "a control character", f"{key} has a control character.", "Remove it.")
        elif value == "":
            mistakes.add(line, key, "empty", f"{key} is empty.", "Give it a value, or remove the line.")
        else:
            values[key] = Value(key, str(value).lower() if isinstance(value, bool) else str(value), line, folder)
    return values


def _line_of(key: str, text: str) -> int:
    """The line that sets a key or begins its table; 1 if it is written in a way that this search does not find."""
    match = re.search(rf"""^\s*\[?\[?\s*["']?{re.escape(key)}["']?\s*[\]=.]""", text, re.MULTILINE)
    return text.count("\n", 0, match.end()) + 1 if match else 1
