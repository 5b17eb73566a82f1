"""What is wrong with a file or a setting that a user wrote: collected, and raised at once as `InvalidConfig`."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from earshot.common.errors import InvalidConfig, Misconfigured, Mistake
from earshot.common.redaction import without_secrets

SHOWN = 80  # characters of a value that an error shows


def quoted(text: str) -> str:
    """A value as an error shows it: without secrets, and cut where it is long."""
    shown = without_secrets(text)
    return repr(shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…")


def read_text(path: Path, variable: str, may_miss: bool) -> str:
    """The whole file that an environment variable names; "" for a missing one that `may_miss`. Raises Misconfigured."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        mistakes = Mistakes(path)
        mistakes.add(error.object.count(b"\n", 0, error.start) + 1, "", "", "not UTF-8.", "Save the file as UTF-8.")
        raise mistakes.error() from None
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            if may_miss:
                return ""
            raise Misconfigured(f"There is no file {path}.", f"Write it, or correct {variable}.") from error
        raise Misconfigured(f"{path} cannot be read: {error.strerror}.", f"Correct {variable}, or its rights.") from error


class Mistakes:
    """The mistakes of one file; a mistake without a line is one of the environment."""

    def __init__(self, path: Path) -> None:
        self._file = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
        self._found: dict[tuple[int, str], Mistake] = {}
        self._known_keys: dict[str, None] = {}

    def add(self, line: int | None, key: str, value: str, message: str, remedy: str) -> None:
        """Notes a mistake, once: what an anchor repeats is met again. `value` is as the error may show it."""
        self._found.setdefault((line or 0, message), Mistake(line, key, value, message, remedy))

    def add_unknown_key(self, line: int, key: str, known: Iterable[str], owner: str) -> None:
        """Notes a key that `owner` (a source, the file) does not have; those that it has stand once, below all mistakes."""
        near = difflib.get_close_matches(key.lower(), list(known), n=1)
        self.add(line, without_secrets(key), "", f"unknown key {quoted(key)}.", f"Did you mean {near[0]}?" if near else "")
        self._known_keys[f"Keys of {owner}: {', '.join(known)}."] = None

    def raise_if_any(self) -> None:
        """Raises InvalidConfig if anything is wrong."""
        if self._found:
            raise self.error()

    def error(self) -> InvalidConfig:
        """All mistakes in the order of the file, one a line."""
        found = tuple(self._found[place] for place in sorted(self._found))
        places = (f"{self._file}, line {each.line}: " if each.line else "" for each in found)
        lines = [f"{place}{each.message} {each.remedy}".strip() for place, each in zip(places, found, strict=True)]
        return InvalidConfig("\n".join([*lines, *self._known_keys]), found)
