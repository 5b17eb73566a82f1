"""The models of people.yaml: its keys, their values, and the rules between them.

`read_people()` imports this module late, because loading pydantic takes a while (earshot/config/yaml_model.py). Errors do not
repeat names and notes, because they may be logged and names must not be.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import BeforeValidator, ConfigDict, Field

from earshot.common.excerpt import FILE, TIME_PATTERN, VIDEO, Excerpt, format_time, parse_time
from earshot.config.mistakes import quoted
from earshot.config.names import ALLOWED, name_key, parse_person_name
from earshot.config.source_options import file_path
from earshot.config.yaml_model import YamlFile, YamlModel, line_of, of_path, or_empty, refusal

PEOPLE = "a list of people, such as `- name: Ada Lovelace`; docs/reference/people-file.md shows all."
SAMPLES = "a list of recordings, such as `- file: ada.wav`, or `- video: dQw4w9WgXcQ` with `spans` below it."
SPANS = f"a list of [start, end], each {TIME_PATTERN}, such as [[10, 25], [1:02:00, 1:02:30]]."
RECORDING = (
    "the path of a recording; a relative one starts in the folder of this file. What is on the web is ingested, then a `video`."
)
NOTES = "text of at most 10000 characters, none of them a control character."
VIDEO_KEY = "a video's key, as `earshot videos` lists it."


def _name(value: Any) -> Any:
    try:
        return parse_person_name(value) if isinstance(value, str) else value
    except ValueError as error:
        raise refusal(f"the name {error}.") from None


def _span(node: yaml.Node) -> tuple[int, float, float]:
    """The span's line, start and end."""
    value = [time.value for time in node.value] if isinstance(node, yaml.SequenceNode) else node.value
    try:
        start, end = map(parse_time, value if isinstance(value, list) else ())
    except (ValueError, TypeError):  # not two values, not times, or not texts
        shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
        raise refusal(f"a span is {quoted(shown)}.") from None
    if end <= start:
        message = f"a span ends at {format_time(end)}, and starts at {format_time(start)}."
        raise refusal(message, "Allowed: an end after the start.")
    return line_of(node), start, end


class Sample(YamlModel):
    model_config = ConfigDict(title="a sample")

    file: Annotated[str, of_path(file_path), Field(description=RECORDING)] = ""
    video: Annotated[str, Field(pattern=r"^[^\s\p{Cc}]+$", description=VIDEO_KEY)] = ""
    spans: Annotated[
        Sequence[Annotated[tuple[int, float, float], BeforeValidator(_span)]], Field(min_length=1, description=SPANS)
    ] = ()

    def mistakes(self) -> Iterator[tuple[str, str, str]]:
        given = self.model_fields_set & {FILE, VIDEO}
        if len(given) != 1:
            message = "a sample is a file and a video at once." if given else "a sample is neither a file nor a video."
            yield "", message, f"Allowed: {SAMPLES}"
        elif VIDEO in given and "spans" not in self.model_fields_set:
            yield "", "a video has no spans.", f"Say when this person speaks: {SPANS}"

    def excerpts(self) -> Iterator[tuple[int, Excerpt]]:
        """Each valid excerpt with its line; the whole recording for a file without spans."""
        kind, recording = (FILE, self.file) if self.file else (VIDEO, self.video)
        whole = [(self.line(), 0.0, None)] if self.file and "spans" not in self.model_fields_set else []
        for line, start_s, end_s in self.spans or whole if recording else ():
            yield line, Excerpt(kind, recording, start_s, end_s)


class PersonEntry(YamlModel):
    model_config = ConfigDict(title="a person")

    name: Annotated[str, BeforeValidator(_name), Field(description=ALLOWED)] = ""
    notes: Annotated[str, or_empty(""), Field(max_length=10_000, pattern=r"^(\P{Cc}|[\n\t])*$", description=NOTES)] = ""
    samples: Annotated[Sequence[Sample], Field(min_length=1, description=SAMPLES)] = ()

    def placed(self) -> list["Placed"]:
        """The excerpts of all samples."""
        return [Placed(line, excerpt, self) for sample in self.samples for line, excerpt in sample.excerpts()]

    def mistakes(self) -> Iterator[tuple[str, str, str]]:
        if "name" not in self.model_fields_set:
            yield "", "a person has no name.", f"Allowed: {ALLOWED}"
        if "samples" not in self.model_fields_set:
            yield "", "a person has no samples.", f"Allowed: {SAMPLES}"


class PeopleFile(YamlModel):
    model_config = ConfigDict(title="the file")

    people: Annotated[Sequence[PersonEntry], or_empty(()), Field(description=PEOPLE)] = ()


SHOWS = {key: lambda text: f"a text of length {len(text)}" for key in ("people", "name", "notes")}


class Placed(NamedTuple):
    """An excerpt with its line and person; two people may share a line."""

    line: int
    excerpt: Excerpt
    person: PersonEntry


def read_entries(path: Path, text: str) -> list[tuple[str, int, str, tuple[Excerpt, ...]]]:
    """Each person's name, its line, notes and excerpts. Raises InvalidConfig with every mistake."""
    file = YamlFile(path, SHOWS)
    people = file.read(PeopleFile, text).people
    _refuse_repeated_names(file, people)
    _refuse_overlaps(file, people)
    file.raise_if_any()
    return [
        (person.name, person.line("name"), person.notes, tuple(placed.excerpt for placed in person.placed()))
        for person in people
    ]


def _refuse_repeated_names(file: YamlFile, people: Sequence[PersonEntry]) -> None:
    lines: dict[str, int] = {}
    for person in people:
        key = name_key(person.name)
        if key and key in lines:
            message = f"the name is that of the person on line {lines[key]} already (capitals do not count)."
            remedy = "One person: put all recordings below one name. Two people: tell the names apart."
            file.refuse(person, "name", message, remedy)
        lines.setdefault(key, person.line("name"))


def _refuse_overlaps(file: YamlFile, people: Sequence[PersonEntry]) -> None:
    by_recording: defaultdict[tuple[str, str], list[Placed]] = defaultdict(list)
    for person in people:
        for placed in person.placed():
            by_recording[placed.excerpt.kind, placed.excerpt.recording].append(placed)
    for group in by_recording.values():
        group.sort(key=lambda placed: (placed.excerpt.start_s, placed.line))
        last = group[0]
        for placed in group[1:]:
            if placed.excerpt.overlaps(last.excerpt):
                _refuse_overlap(file, *sorted((last, placed), key=lambda placed: placed.line))
            last = max(last, placed, key=lambda placed: placed.excerpt.last_s)


def _refuse_overlap(file: YamlFile, first: Placed, second: Placed) -> None:
    here, there = second.excerpt.times, first.excerpt.times
    if first.person is second.person:
        message = f"{here} of a recording overlaps {there} of it on line {first.line}."
        remedy = "Name each part of a recording once."
    else:
        message = f"{here} of a recording is given to this person, and {there} of it to another on line {first.line}."
        remedy = "A part of a recording has one person speaking in it, alone."
    file.refuse(second.person, "samples", message, remedy, second.line)
