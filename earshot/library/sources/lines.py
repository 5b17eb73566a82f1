"""The lines of sources.yaml, changed one source at a time: comments, order and quotes of all others stay.

Does not check what is written: earshot/library/sources/editing.py does, before it replaces the file.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from earshot.common.errors import EarshotError


class SourceLines:
    """The lines of the file of this name, and where its sources are. Line numbers begin with 0."""

    def __init__(self, text: str, name: str) -> None:
        self.lines = text.splitlines(keepends=True)
        self._name = name
        if self.lines and not self.lines[-1].endswith("\n"):
            self.lines[-1] += "\n"
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        pairs = root.value if isinstance(root, yaml.MappingNode) else []
        self._key, self._list = next(((key, value) for key, value in pairs if key.value == "sources"), (None, None))
        self._entries = self._list.value if isinstance(self._list, yaml.SequenceNode) else []

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def keys(self, index: int) -> frozenset[str]:
        """The keys of a source."""
        return frozenset(key.value for key, _ in self._entries[index].value)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a source after the last one."""
        self._require_lines()
        indent = self._list.start_mark.column if self._list and self._entries else 2
        dumped = _dumped(entry).splitlines()
        lines = [f"{' ' * indent}{'  ' if number else '- '}{line}\n" for number, line in enumerate(dumped)]
        if self._entries:
            place = _last_line(self._entries[-1]) + 1
        elif self._key:
            place = self._key.start_mark.line + 1
            self.lines[place - 1] = re.sub(r"sources:\s*(?:\[\s*\]|null|~)", "sources:", self.lines[place - 1])
        else:
            lines, place = [*(["\n"] * bool(self.lines)), "sources:\n", *lines], len(self.lines)
        self.lines[place:place] = lines

    def set(self, index: int, options: Mapping[str, Any]) -> None:
        """Give a source's options these values; None takes an option out."""
        self._require_lines()
        entry = self._entries[index]
        new = {key: value for key, value in options.items() if value is not None and key not in self.keys(index)}
        place = _last_line(entry) + 1
        self.lines[place:place] = [f"{' ' * entry.start_mark.column}{line}\n" for line in _dumped(new).splitlines()]
        # From the last one up: the lines of those above stay where they were.
        for number, (key, value) in reversed(list(enumerate(entry.value))):
            if key.value not in options:
                continue
            if options[key.value] is None:
                self._take_out(entry, number)
            else:
                self._replace(key, value, options[key.value])

    def delete(self, index: int) -> None:
        """Take out the lines of a source; comments around it stay."""
        self._require_lines()
        entry = self._entries[index]
        del self.lines[entry.start_mark.line : _last_line(entry) + 1]

    def _replace(self, key: yaml.Node, value: yaml.Node, new: Any) -> None:
        """Replace a value; what follows it on a single line stays."""
        first, last = key.start_mark.line, _last_line(value)
        before = self.lines[first][: key.start_mark.column]
        single = first == last == value.end_mark.line
        behind = self.lines[first][value.end_mark.column :] if single else "\n"
        self.lines[first : last + 1] = [before + _dumped({key.value: new}).rstrip("\n") + behind]

    def _take_out(self, entry: yaml.Node, number: int) -> None:
        """Take out the option of this number. If it follows the dash, the next one moves there."""
        key, value = entry.value[number]
        first, last = key.start_mark.line, _last_line(value)
        if first != entry.start_mark.line:
            del self.lines[first : last + 1]
            return
        following, _ = entry.value[number + 1]
        next_line, column = following.start_mark.line, following.start_mark.column
        moved = self.lines[first][: key.start_mark.column] + self.lines[next_line][column:]
        self.lines[first : next_line + 1] = [moved, *self.lines[last + 1 : next_line]]

    def _require_lines(self) -> None:
        """Raise EarshotError unless the sources are one below the other."""
        if self._entries and any(map(_in_brackets, (self._list, *self._entries))):
            raise EarshotError(f"{self._name} lists its sources in brackets.", "Edit it by hand.")


def _dumped(entry: Mapping[str, Any]) -> str:
    """The options as YAML, a line each; lists in brackets."""
    layout: dict[str, Any] = {"allow_unicode": True, "width": 10**6}
    return "".join(
        yaml.safe_dump({key: value}, default_flow_style=None if isinstance(value, list) else False, **layout)
        for key, value in entry.items()
    )


def _in_brackets(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _last_line(node: yaml.Node) -> int:
    """The line on which the last value within the node ends."""
    return max(_ends(node))


def _ends(node: yaml.Node) -> Iterator[int]:
    if isinstance(node, yaml.ScalarNode) or _in_brackets(node):
        yield node.end_mark.line - (node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line)
    elif isinstance(node, yaml.MappingNode):
        yield from (end for pair in node.value for part in pair for end in _ends(part))
    else:
        yield from (end for part in node.value for end in _ends(part))
