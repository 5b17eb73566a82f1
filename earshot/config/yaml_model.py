"""Reads a YAML file into pydantic models, and reports every mistake with its line.

`yaml.compose` keeps the lines: a `Model` is made from the nodes of a mapping. Values that pydantic rejects are noted in the
`YamlFile`, which is the validation's context, and the field keeps its default, so that checks between values still run on the
valid ones. Values stay text, so YAML's conversions (`no` to False, `010` to 8) do not apply. Merge keys (`<<`) are unsupported.

Import this module only to read sources.yaml or people.yaml: loading pydantic takes 0.2 s of CPU, too long for `earshot videos`.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from yaml.composer import ComposerError

from earshot.config.mistakes import Mistakes, quoted

MOST_DEPTH = 20  # levels of lists and mappings; Earshot's own files have five
NULL = "tag:yaml.org,2002:null"
Pair = tuple[yaml.Node, yaml.Node]  # a key and its value


class YamlModel(BaseModel):
    """A mapping of the file. Errors call it by its title; the description of a field says what is allowed."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)
    _node: yaml.Node
    _given: dict[str, Pair]

    def line(self, key: str = "") -> int:
        """The line of a key, or that on which the mapping begins."""
        return line_of(self._given[key][0] if key in self._given else self._node)

    def mistakes(self) -> Iterator[tuple[str, str, str]]:
        """Mistakes between values: the key ("" for the whole mapping), the message and the remedy."""
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, node: Any, validate: Callable[[Any], Self], info: ValidationInfo[Any]) -> Self:
        if not isinstance(node, yaml.MappingNode):
            raise refusal(f"{cls.model_config.get('title')} is {shape(node)}.")
        given = info.context.pairs(cls, node)
        model = validate(given)
        model._node, model._given = node, given
        for mistake in model.mistakes():
            info.context.refuse(model, *mistake)
        return model

    @field_validator("*", mode="wrap")
    @classmethod
    def _read_value(cls, pair: Pair, validate: Callable[[Any], Any], info: ValidationInfo[Any]) -> Any:
        field, value = cls.model_fields[str(info.field_name)], _plain(pair[1])
        try:
            return validate(value)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False, include_input=False)
        for error in errors:
            info.context.note(*pair, error, f"Allowed: {field.description}")
        wrong = {error["loc"][0] for error in errors if error["loc"]}
        right = [entry for index, entry in enumerate(value) if index not in wrong] if wrong else []
        return validate(right) if right else field.default


M = TypeVar("M", bound=YamlModel)


class YamlFile(Mistakes):
    """A file being read, and its mistakes. `shows`: by key, how errors show its value if they do not quote it."""

    def __init__(self, path: Path, shows: Mapping[str, Callable[[str], str]]) -> None:
        super().__init__(path)
        self.folder = path.parent
        self._shows = shows

    def read(self, model: type[M], text: str) -> M:
        """The valid part of a text."""
        root = self._composed(text)
        if root and root.tag != NULL and not isinstance(root, yaml.MappingNode):
            remedy = f"Begin it with `{next(iter(model.model_fields))}:`."
            self.add(line_of(root), "", shape(root), f"the file is {shape(root)}.", remedy)
        empty = yaml.MappingNode("", [])
        return model.model_validate(root if isinstance(root, yaml.MappingNode) else empty, context=self)

    def refuse(self, model: YamlModel, key: str, message: str, remedy: str, line: int | None = None) -> None:
        """Note a mistake in a mapping or one of its keys; `line` is a more exact line."""
        value = self._shown(key, model._given[key][1]) if key in model._given else ""
        self.add(line or model.line(key), key, value, message, remedy)

    def note(self, key_node: yaml.Node, value_node: yaml.Node, error: ErrorDetails, allowed: str) -> None:
        """Note pydantic's error about a value, or about an entry of a list."""
        place, node, key = key_node, value_node, key_node.value
        for index in error["loc"]:
            place = node = node.value[int(index)]
        value = self._shown(key, node)
        message = error["msg"] if error["type"] == "refusal" else f"{key} is {value}."
        self.add(line_of(place), key, value, message, error.get("ctx", {}).get("remedy") or allowed)

    def pairs(self, model: type[YamlModel], node: yaml.MappingNode) -> dict[str, Pair]:
        """The pairs of a model's keys; notes unknown and repeated keys."""
        keys = [field.alias or name for name, field in model.model_fields.items()]
        pairs: dict[str, Pair] = {}
        for pair in node.value:
            key, line = pair[0].value if isinstance(pair[0], yaml.ScalarNode) else shape(pair[0]), line_of(pair[0])
            if key in pairs:
                message = f"{key} is given twice, on line {line_of(pairs[key][0])} too."
                self.add(line, key, "", message, "Keep one of them.")
            elif key in keys:
                pairs[key] = pair
            else:
                self.add_unknown_key(line, key, keys, model.model_config.get("title") or "")
        return pairs

    def _shown(self, key: str, node: yaml.Node) -> str:
        text = _plain(node)
        return self._shows.get(key, quoted)(text.strip()) if isinstance(text, str) and text.strip() else shape(node)

    def _composed(self, text: str) -> yaml.Node | None:
        try:
            return composed(text)
        except yaml.MarkedYAMLError as error:
            line = min(error.problem_mark.line if error.problem_mark else 0, text.count("\n")) + 1
            remedy = "Indent with spaces, not tabs, as the line above; quote a value with `: ` in it, or with @ or % in front."
            self.add(line, "", "", f"not YAML: {error.problem}.", remedy)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self.add(line, "", "", "there is a control character.", "Remove it.")
        return None


def composed(text: str) -> yaml.Node | None:
    """The root node of a text. Raises yaml.YAMLError, also if it is nested too deeply: `compose` would end the process."""
    # libyaml's loader is ten times as fast as Python's, and its messages do not quote the text.
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise ComposerError(None, None, f"nested more than {MOST_DEPTH} levels deep", event.start_mark)
    return yaml.compose(text, Loader=yaml.CSafeLoader)


def of_text(parse: Callable[[str], Any]) -> BeforeValidator:
    """A validator that parses a text; null stays None, a list or a mapping is rejected."""
    return BeforeValidator(lambda value: value if value is None else parse(_text(value)))


def of_path(parse: Callable[[Path, str], Any]) -> BeforeValidator:
    """Like `of_text()`, for a path relative to the file's folder."""
    return BeforeValidator(lambda value, info: value if value is None else parse(info.context.folder, _text(value)))


def of_words(parse: Callable[[str | list[str]], Any]) -> BeforeValidator:
    """Like `of_text()`, for a text or a list of texts."""
    return BeforeValidator(lambda value: value if value is None else parse(_words(value)))


def or_empty(empty: Any) -> BeforeValidator:
    """A validator for a key that may have no value."""
    return BeforeValidator(lambda value: empty if value in (None, "") else value)


def refusal(message: str, remedy: str = "") -> PydanticCustomError:
    """The error for a validator to raise with its own message; the default remedy is what the field allows."""
    return PydanticCustomError("refusal", "{message}", {"message": message, "remedy": remedy})


def shape(value: Any) -> str:
    """The kind of a node, or of a value made from one, without its content."""
    value = _plain(value) if isinstance(value, yaml.Node) else value
    if isinstance(value, yaml.MappingNode):
        return "a mapping"
    if not value or (isinstance(value, str) and value.isspace()):
        return "empty"
    return "a list" if isinstance(value, list) else "a single value"


def line_of(node: yaml.Node) -> int:
    """The line on which the node begins; 1 for that of an empty file."""
    return node.start_mark.line + 1 if node.start_mark else 1


def _plain(node: yaml.Node) -> Any:
    """A scalar's text, a list's nodes, or a mapping's node itself; None for an explicit null."""
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == NULL and node.value else node.value
    return node.value if isinstance(node, yaml.SequenceNode) else node


def _words(value: Any) -> str | list[str]:
    return [_text(_plain(node)) for node in value] if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value.strip()
