"""A YAML file read into pydantic models, every mistake with its line.

`yaml.compose` keeps the lines: a `Model` is made of the nodes of a mapping. What pydantic refuses is noted in the `YamlFile`,
which is the validation's context, and the field keeps its default: so the checks between values, too, see all that is right.
Values stay text as written: YAML's own idea of them (`no` is False, `010` is 8) is not taken. Merge keys (`<<`) are not known.

Only what reads sources.yaml or people.yaml imports this: pydantic takes 0.2 s of CPU, more than `earshot videos` can spare.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from earshot.config.mistakes import Mistakes, quoted

NULL = "tag:yaml.org,2002:null"
Pair = tuple[yaml.Node, yaml.Node]  # a key and what it was given


class Model(BaseModel):
    """A mapping of the file. Its title is what errors call it; the description of a field says what is allowed."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)
    _node: yaml.Node
    _given: dict[str, Pair]

    def line(self, key: str = "") -> int:
        """The line of a key, or where the mapping begins."""
        return line_of(self._given[key][0] if key in self._given else self._node)

    def mistakes(self) -> Iterator[tuple[str, str, str]]:
        """What is wrong between its values: a key, or "" for all of it; what is wrong; what to do."""
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, node: Any, validate: Callable[[Any], Self], info: ValidationInfo[Any]) -> Self:
        if not isinstance(node, yaml.MappingNode):
            raise refusal(f"{cls.model_config.get('title')} is {shape(node)}.")
        given = info.context.pairs(cls, node)
        found = validate(given)
        found._node, found._given = node, given
        for mistake in found.mistakes():
            info.context.refuse(found, *mistake)
        return found

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


M = TypeVar("M", bound=Model)


class YamlFile(Mistakes):
    """A file while it is read, and its mistakes. `shows`: how errors show what a key was given, where they do not quote it."""

    def __init__(self, path: Path, shows: Mapping[str, Callable[[str], str]]) -> None:
        super().__init__(path)
        self.folder = path.parent
        self._shows = shows

    def read(self, model: type[M], text: str) -> M:
        """What is right of a text."""
        root = self._composed(text)
        if root and root.tag != NULL and not isinstance(root, yaml.MappingNode):
            remedy = f"Begin it with `{next(iter(model.model_fields))}:`."
            self.add(line_of(root), "", shape(root), f"the file is {shape(root)}.", remedy)
        empty = yaml.MappingNode("", [])
        return model.model_validate(root if isinstance(root, yaml.MappingNode) else empty, context=self)

    def refuse(self, model: Model, key: str, message: str, remedy: str, line: int | None = None) -> None:
        """Notes a mistake of a mapping or of one of its keys; `line`: deeper in it."""
        value = self._shown(key, model._given[key][1]) if key in model._given else ""
        self.add(line or model.line(key), key, value, message, remedy)

    def note(self, key_node: yaml.Node, value_node: yaml.Node, error: ErrorDetails, allowed: str) -> None:
        """Notes what pydantic says of a value, or of an entry of a list."""
        place, node, key = key_node, value_node, key_node.value
        for index in error["loc"]:
            place = node = node.value[int(index)]
        value = self._shown(key, node)
        message = error["msg"] if error["type"] == "refusal" else f"{key} is {value}."
        self.add(line_of(place), key, value, message, error.get("ctx", {}).get("remedy") or allowed)

    def pairs(self, model: type[Model], node: yaml.MappingNode) -> dict[str, Pair]:
        """What the keys of a model were given; unknown keys, and those given twice, are noted."""
        keys = [field.alias or name for name, field in model.model_fields.items()]
        found: dict[str, Pair] = {}
        for pair in node.value:
            key, line = pair[0].value if isinstance(pair[0], yaml.ScalarNode) else shape(pair[0]), line_of(pair[0])
            if key in found:
                message = f"{key} is given twice, on line {line_of(found[key][0])} too."
                self.add(line, key, "", message, "Keep one of them.")
            elif key in keys:
                found[key] = pair
            else:
                self.add_unknown_key(line, key, keys, model.model_config.get("title") or "")
        return found

    def _shown(self, key: str, node: yaml.Node) -> str:
        text = _plain(node)
        return self._shows.get(key, quoted)(text.strip()) if isinstance(text, str) and text.strip() else shape(node)

    def _composed(self, text: str) -> yaml.Node | None:
        try:
            # libyaml's loader is ten times as fast as Python's, and its messages quote nothing of the text.
            return yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            line = min(error.problem_mark.line if error.problem_mark else 0, text.count("\n")) + 1
            remedy = "Indent with spaces, not tabs, as the line above; quote a value with `: ` in it, or with @ or % in front."
            self.add(line, "", "", f"not YAML: {error.problem}.", remedy)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self.add(line, "", "", "there is a control character.", "Remove it.")
        return None


def of_text(parse: Callable[[str], Any]) -> BeforeValidator:
    """Makes a value of what was written; null stays None, a list or a mapping is refused."""
    return BeforeValidator(lambda value: value if value is None else parse(_text(value)))


def of_path(parse: Callable[[Path, str], Any]) -> BeforeValidator:
    """Makes a value of a path that starts in the folder of the file; null stays None, a list or a mapping is refused."""
    return BeforeValidator(lambda value, info: value if value is None else parse(info.context.folder, _text(value)))


def or_empty(empty: Any) -> BeforeValidator:
    """A value whose key may stand there with nothing."""
    return BeforeValidator(lambda value: empty if value in (None, "") else value)


def refusal(message: str, remedy: str = "") -> PydanticCustomError:
    """What a validator raises to choose the words of an error; without a remedy, it is what the field allows."""
    return PydanticCustomError("refusal", "{message}", {"message": message, "remedy": remedy})


def shape(value: Any) -> str:
    """What a node is, or a value made of one, without what it holds."""
    value = _plain(value) if isinstance(value, yaml.Node) else value
    if isinstance(value, yaml.MappingNode):
        return "a mapping"
    if not value or (isinstance(value, str) and value.isspace()):
        return "empty"
    return "a list" if isinstance(value, list) else "a single value"


def line_of(node: yaml.Node) -> int:
    """The line on which it begins; 1 for an empty file's."""
    return node.start_mark.line + 1 if node.start_mark else 1


def _plain(node: yaml.Node) -> Any:
    """Text; the nodes of a list; a mapping's node as it is; None for a null that is written out."""
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == NULL and node.value else node.value
    return node.value if isinstance(node, yaml.SequenceNode) else node


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value.strip()
