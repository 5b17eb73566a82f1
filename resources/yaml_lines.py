"""YAML with its lines: what the keys of a file were given and where, and everything that is wrong with it, told at once.

`read_text()` reads the file, `tree()` makes its text YAML's tree of nodes, `mapping()` reads one mapping of it by the keys that
are known there, and `Problems` collects what is wrong, each with its line, until `refuse()` raises it. Values stay text as
written: YAML's own idea of them (`no` is False, `010` is 8) is not taken. Merge keys (`<<`) are not known.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from resources.errors import Misconfigured
from resources.redaction import without_secrets

BARE = ("int", "float", "bool", "timestamp")  # YAML's types whose values an error shows without quotes
SHOWN = 80  # characters of a value that an error shows


def quoted(text: str) -> str:
    """A value as an error shows it: without secrets, and cut where it is long."""
    shown = without_secrets(text)
    return repr(shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…")


def read_text(path: Path, variable: str) -> str:
    """The whole file; `variable` is the environment variable that names it. Raises FileNotFoundError, and Misconfigured."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Misconfigured(f"{called(path)}, line {line}: not UTF-8.", "Save the file as UTF-8.") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}.", f"Correct {variable}, or its rights.") from error


def called(path: Path) -> str:
    """What the user calls it: from the folder that he is in, where it lies below that."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


class Problems:
    """What is wrong with a file, collected so that the user sees all of it at once."""

    def __init__(self, path: Path) -> None:
        self._file = called(path)
        self._remedies: dict[tuple[int, str], str] = {}

    def add(self, line: int, message: str, remedy: str) -> None:
        """Once, however often it is found: a wrong default is met with every source."""
        self._remedies.setdefault((line, message), remedy)

    def refuse(self) -> None:
        """Raises Misconfigured if anything is wrong: one problem per line, in the order of the file."""
        told = [(f"{self._file}, line {line}: {message}", remedy) for (line, message), remedy in sorted(self._remedies.items())]
        if len(told) == 1:
            raise Misconfigured(*told[0])
        if told:
            raise Misconfigured("\n".join(f"{message} {remedy}" for message, remedy in told))


@dataclass(frozen=True)
class Given:
    """What a key was given, and the line of the key."""

    line: int
    node: yaml.Node

    @property
    def text(self) -> str:
        """As it was written; "" for nothing, and for what is no single value."""
        return self.node.value.strip() if isinstance(self.node, yaml.ScalarNode) else ""

    def shown(self, show: Callable[[str], str] = quoted) -> str:
        """The value as an error shows it; `show` for text."""
        if not isinstance(self.node, yaml.ScalarNode):
            return shape_of(self.node)
        if not self.text:
            return "empty"
        bare = self.node.tag.rpartition(":")[2] in BARE and len(self.text) < SHOWN and show is quoted
        return self.text if bare else show(self.text)


def is_null(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def line_of(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def shape_of(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a single value"


def tree(text: str, problems: Problems) -> yaml.Node | None:
    """The root of a text; None where it holds nothing, or is not YAML."""
    try:
        # libyaml's loader is ten times as fast as Python's, and its messages quote nothing of the text.
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        lines = text.split("\n")
        at = min(error.problem_mark.line if error.problem_mark else 0, len(lines) - 1)
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        quote = "Check how this line and the one above are indented; quote a value with `: ` in it, or with @ or % in front."
        problems.add(at + 1, f"not YAML: {error.problem}.", "Indent with spaces, not tabs." if "\t" in indent else quote)
    except yaml.reader.ReaderError as error:
        problems.add(text.count("\n", 0, error.position) + 1, "there is a control character.", "Remove it.")
    return None


def mapping(node: yaml.Node, known: Iterable[str], problems: Problems) -> dict[str, Given] | None:
    """What the known keys were given; None where the node is no mapping. Unknown keys, and those given twice, are told.

    An empty node is an empty mapping.
    """
    if is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        return None
    found: dict[str, Given] = {}
    for key, value in node.value:
        written = key.value if isinstance(key, yaml.ScalarNode) else shape_of(key)
        line = line_of(key)
        if written in found:
            problems.add(line, f"{written} is given twice, on line {found[written].line} too.", "Keep one of them.")
        elif written in known:
            found[written] = Given(line, value)
        else:
            problems.add(line, f"unknown key {quoted(written)}.", suggestion(written, known))
    return found


def suggestion(key: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown key: the nearest known key, or all of them where none is near."""
    near = difflib.get_close_matches(key.lower(), list(known), n=1)
    return f"Did you mean {near[0]}?" if near else f"Allowed: {', '.join(known)}."
