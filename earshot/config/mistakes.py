"""Collects the mistakes in a user's file or settings, and raises them together as `InvalidConfig`."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from earshot.common.errors import InvalidConfig, Misconfigured, Mistake
from earshot.common.redaction import without_secrets

SHOWN = 80  # characters of a value that an error shows
_READ = 4096  # characters of it that are searched for secrets: enough for those that are shown
MOST_LISTED = 100  # mistakes that an error lists
MOST_BYTES = 2 << 20  # of a file: 10,000 sources


def quoted(text: str) -> str:
    """A value as an error shows it: without secrets, and cut if it is long."""
    shown = without_secrets(text[:_READ])
    return repr(shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…")


def read_text(path: Path, variable: str, may_miss: bool, most_bytes: int = MOST_BYTES) -> str:
    """The text of the file that an environment variable names; "" if it `may_miss` and does. Raises Misconfigured."""
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise Misconfigured(f"{path} is over {most_bytes >> 10} KB.", f"Shorten it, or correct {variable}.")
        return content.decode()
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


def is_empty(text: str, key: str) -> bool:
    """Whether a YAML file clearly has no entries: only blank lines, comments and at most one `key:` without a value.

    True is certain, and saves loading pydantic. False is not: the file must then be read.
    """
    lines = [line.rstrip() for line in text.split("\n")]
    content = [line for line in lines if line and not (line.lstrip().startswith("#") and line.isprintable())]
    return content in ([], [f"{key}:"])


class Mistakes:
    """The mistakes in one file; those without a line are in the environment."""

    def __init__(self, path: Path) -> None:
        self._file = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
        self._found: dict[tuple[int, str], Mistake] = {}
        self._known_keys: dict[str, None] = {}

    def add(self, line: int | None, key: str, value: str, message: str, remedy: str) -> None:
        """Note a mistake; repetitions by a YAML anchor count once. `value` is as the error may show it."""
        self._found.setdefault((line or 0, message), Mistake(line, key, value, message, remedy))

    def add_unknown_key(self, line: int, key: str, known: Iterable[str], owner: str) -> None:
        """Note a key that `owner` (a source, the file) does not have. Its known keys are listed once, below all mistakes."""
        near = difflib.get_close_matches(key[:SHOWN].lower(), list(known), n=1)
        self.add(
            line, without_secrets(key[:_READ]), "", f"unknown key {quoted(key)}.", f"Did you mean {near[0]}?" if near else ""
        )
        self._known_keys[f"Keys of {owner}: {', '.join(known)}."] = None

    def raise_if_any(self) -> None:
        """Raise InvalidConfig if there are any mistakes."""
        if self._found:
            raise self.error()

    def error(self) -> InvalidConfig:
        """All mistakes in the order of the file, one per line; the text has the first MOST_LISTED of them."""
        mistakes = tuple(self._found[place] for place in sorted(self._found))
        listed = mistakes[:MOST_LISTED]
        places = (f"{self._file}, line {mistake.line}: " if mistake.line else "" for mistake in listed)
        lines = [f"{place}{mistake.message} {mistake.remedy}".strip() for place, mistake in zip(places, listed, strict=True)]
        if len(mistakes) > MOST_LISTED:
            lines.append(f"{len(mistakes) - MOST_LISTED} more mistakes are not listed. Correct these first.")
        return InvalidConfig("\n".join([*lines, *self._known_keys]), mistakes)
