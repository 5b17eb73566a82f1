"""people.yaml: people by name, and recordings in which they speak.

`read_people()` reads the whole file or refuses it: every error in it is told at once, each with its line, key, value and what
is allowed (keys: docs/reference/people-file.md). Only names are not repeated in errors, which may end in logs, where no name
must stand: the line says which is meant. No recording is opened here, and none need be there yet.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import yaml

from earshot.common.excerpt import FILE, TIME_PATTERN, VIDEO, Excerpt, format_time, parse_time
from earshot.config.names import ALLOWED, name_key, parse_person_name
from earshot.config.source_options import is_plain, local_path
from earshot.config.yaml_errors import Problems, YamlValue, is_null, line_of, mapping, read_text, shape_of, tree

SHAPE = "A person is an entry of the list `people:`, such as `- name: Ada Lovelace`; see docs/reference/people-file.md."
SAMPLES = "a list of recordings, such as `- file: ada.wav`, or `- video: dQw4w9WgXcQ` with `spans` below it."
SPANS = f"a list of [start, end], each {TIME_PATTERN}, such as [[10, 25], [1:02:00, 1:02:30]]."
MAX_NOTES_LENGTH = 10_000


@dataclass(frozen=True)
class ListedPerson:
    """One entry of people.yaml. No two have the same name, and no two excerpts overlap."""

    name: str
    line: int  # on which the name stands
    notes: str
    excerpts: tuple[Excerpt, ...]


@dataclass(frozen=True)
class _Placed:
    """An excerpt, the line it stands on, and where in the file its person begins: two may stand on one line."""

    excerpt: Excerpt
    line: int
    person_at: int


def read_people(path: Path) -> tuple[ListedPerson, ...]:
    """The people in the file, in its order; none where it is empty or missing.

    Raises Misconfigured with every error in it, one per line.
    """
    problems = Problems(path)
    root = tree(_text(path), problems)
    names: dict[str, int] = {}
    placed: list[_Placed] = []
    found = [_person(item, path.parent, names, placed, problems) for item in _items(root, problems)] if root else []
    _refuse_overlaps(placed, problems)
    problems.raise_if_any()
    return tuple(person for person in found if person)


def _text(path: Path) -> str:
    try:
        return read_text(path, "EARSHOT_PEOPLE")
    except FileNotFoundError:
        return ""


def _items(root: yaml.Node, problems: Problems) -> list[yaml.Node]:
    top = mapping(root, ("people",), problems)
    if top is None:
        problems.add(line_of(root), f"the file is {shape_of(root)}.", f"Begin it with `people:`. {SHAPE}")
        return []
    if "people" not in top or is_null(top["people"].node):
        return []
    listed = top["people"].node
    if not isinstance(listed, yaml.SequenceNode):
        problems.add(top["people"].line, f"people is {shape_of(listed)}.", SHAPE)
        return []
    return listed.value


def _person(
    item: yaml.Node, folder: Path, names: dict[str, int], placed: list[_Placed], problems: Problems
) -> ListedPerson | None:
    """The person, None where something is wrong; `names` (with their lines) and `placed` gain what is his."""
    given = mapping(item, ("name", "notes", "samples"), problems)
    if given is None:
        problems.add(line_of(item), f"a person is {shape_of(item)}.", SHAPE)
        return None
    named = given.get("name")
    name = _name(named, line_of(item), names, problems)
    notes = _notes(given.get("notes"), problems)
    excerpts = _samples(given.get("samples"), item, folder, placed, problems)
    return ListedPerson(name, named.line, notes, tuple(excerpts)) if named and name and excerpts else None


def _name(given: YamlValue | None, person_line: int, names: dict[str, int], problems: Problems) -> str:
    if given is None or is_null(given.node):
        problems.add(given.line if given else person_line, "a person has no name.", f"Allowed: {ALLOWED}")
        return ""
    if not isinstance(given.node, yaml.ScalarNode):
        problems.add(given.line, f"name is {shape_of(given.node)}.", f"Allowed: {ALLOWED}")
        return ""
    try:
        name = parse_person_name(given.node.value)
    except ValueError as error:
        problems.add(given.line, f"the name {error}.", f"Allowed: {ALLOWED}")
        return ""
    if name_key(name) in names:
        told = f"the name is that of the person on line {names[name_key(name)]} already (capitals do not count)."
        problems.add(given.line, told, "One person: put all recordings below one name. Two people: tell the names apart.")
    names.setdefault(name_key(name), given.line)
    return name


def _notes(given: YamlValue | None, problems: Problems) -> str:
    if given is None or is_null(given.node):
        return ""
    if not isinstance(given.node, yaml.ScalarNode):
        problems.add(given.line, f"notes is {given.shown()}.", "Allowed: text.")
        return ""
    text = given.text
    if len(text) > MAX_NOTES_LENGTH:
        problems.add(given.line, f"notes has {len(text)} characters.", f"Allowed: at most {MAX_NOTES_LENGTH}.")
    if not is_plain(text.replace("\n", "").replace("\t", "")):
        problems.add(given.line, "notes has a control character in it.", "Remove it.")
    return text


# --- recordings ----------------------------------------------------------------------------------------------------------


def _samples(
    given: YamlValue | None, person: yaml.Node, folder: Path, placed: list[_Placed], problems: Problems
) -> list[Excerpt]:
    if given is None:
        problems.add(line_of(person), "a person has no samples.", f"Allowed: {SAMPLES}")
        return []
    if not isinstance(given.node, yaml.SequenceNode) or not given.node.value:
        empty = isinstance(given.node, yaml.SequenceNode) or is_null(given.node)
        problems.add(given.line, f"samples is {'empty' if empty else given.shown()}.", f"Allowed: {SAMPLES}")
        return []
    found = [one for item in given.node.value for one in _sample(item, person.start_mark.index, folder, problems)]
    placed += found
    return [one.excerpt for one in found]


def _sample(item: yaml.Node, person_at: int, folder: Path, problems: Problems) -> list[_Placed]:
    line = line_of(item)
    given = mapping(item, (FILE, VIDEO, "spans"), problems)
    if given is None:
        problems.add(line, f"a sample is {shape_of(item)}.", f"Allowed: {SAMPLES}")
        return []
    kinds = [kind for kind in (FILE, VIDEO) if kind in given]
    if len(kinds) != 1:
        told = "a sample is a file and a video at once." if kinds else "a sample is neither a file nor a video."
        problems.add(line, told, f"Allowed: {SAMPLES}")
        return []
    kind, recording = kinds[0], _recording(kinds[0], given[kinds[0]], folder, problems)
    if "spans" not in given and kind == VIDEO:
        problems.add(line, "a video has no spans.", f"Say when this person speaks: {SPANS}")
        return []
    spans = _spans(given["spans"], problems) if "spans" in given else [(line, 0.0, None)]
    return [_Placed(Excerpt(kind, recording, start, end), at, person_at) for at, start, end in spans if recording]


def _recording(kind: str, given: YamlValue, folder: Path, problems: Problems) -> str:
    """A video's key, or an absolute path; "" where it is neither."""
    text = given.text
    if text and not is_null(given.node) and is_plain(text):
        if kind == VIDEO and len(text.split()) == 1:
            return text
        if kind == FILE and "://" not in text:
            try:
                return str(local_path(folder, text))
            except ValueError:  # the home of a user who does not exist, or links in a circle
                pass
    allowed = {
        FILE: "the path of a recording; a relative one starts in the folder of this file. What is on the web is ingested, "
        "and then named by `video`.",
        VIDEO: "a video's key, as `earshot videos` lists it.",
    }
    problems.add(given.line, f"{kind} is {given.shown()}.", f"Allowed: {allowed[kind]}")
    return ""


def _spans(given: YamlValue, problems: Problems) -> list[tuple[int, float, float | None]]:
    """(line, start, end) of those that can be read."""
    items = given.node.value if isinstance(given.node, yaml.SequenceNode) else []
    if not any(isinstance(item, yaml.SequenceNode) for item in items):  # a single [start, end], too
        shown = _shown(items) if items else "empty" if isinstance(given.node, yaml.SequenceNode) else given.shown()
        problems.add(given.line, f"spans is {shown}.", f"Allowed: {SPANS}")
        return []
    return [found for item in items if (found := _span(item, problems))]


def _span(item: yaml.Node, problems: Problems) -> tuple[int, float, float | None] | None:
    line = line_of(item)
    pair = item.value if isinstance(item, yaml.SequenceNode) else []
    try:
        start, end = (parse_time(YamlValue(line, node).text) for node in pair)
    except ValueError:
        problems.add(line, f"a span is {_shown(pair) if pair else YamlValue(line, item).shown()}.", f"Allowed: {SPANS}")
        return None
    if end <= start:
        told = f"a span ends at {format_time(end)}, and starts at {format_time(start)}."
        problems.add(line, told, "Allowed: an end after the start.")
        return None
    return line, start, end


def _shown(items: list[yaml.Node]) -> str:
    return f"[{', '.join(YamlValue(line_of(item), item).shown() for item in items)}]"


def _refuse_overlaps(placed: list[_Placed], problems: Problems) -> None:
    by_recording: defaultdict[tuple[str, str], list[_Placed]] = defaultdict(list)
    for one in placed:
        by_recording[one.excerpt.kind, one.excerpt.recording].append(one)
    for group in by_recording.values():
        group.sort(key=lambda one: (one.excerpt.start_s, one.line))
        longest = group[0]
        for one in group[1:]:
            if one.excerpt.overlaps(longest.excerpt):
                _refuse_overlap(min(longest, one, key=_line), max(one, longest, key=_line), problems)
            longest = max(longest, one, key=lambda each: each.excerpt.last_s)


def _line(placed: _Placed) -> int:
    return placed.line


def _refuse_overlap(first: _Placed, second: _Placed, problems: Problems) -> None:
    if first.person_at == second.person_at:
        told = f"{second.excerpt.times} of a recording overlaps {first.excerpt.times} of it on line {first.line}."
        problems.add(second.line, told, "Name each part of a recording once.")
        return
    told = f"{second.excerpt.times} of a recording is given to this person, and {first.excerpt.times} of it to another on line "
    problems.add(second.line, f"{told}{first.line}.", "A part of a recording has one person speaking in it, alone.")
