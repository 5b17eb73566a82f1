"""A tool: a function from checked arguments to an answer, with the schemas of both.

A tool's name, description and schemas come from its function: its name, docstring and annotations. Errors that Earshot can
explain become an answer that is marked as an error: one line, with the remedy. Others are left to the server.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import getdoc
from typing import Any, get_type_hints

import psycopg
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from mcp_types import Tool as Described
from pydantic import TypeAdapter, ValidationError

from earshot.common.errors import EarshotError
from earshot.common.text import one_line
from earshot.integrations.mcp.arguments import Arguments, mistakes
from earshot.integrations.mcp.context import Context


@dataclass(frozen=True)
class Tool:
    """`call` takes a Context and a model of its arguments, and returns a dataclass. `changes`: it changes the library."""

    call: Callable[[Context, Any], Any]
    changes: bool = False

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.call.__name__

    def describe(self) -> Described:
        """The tool as clients see it."""
        return Described(
            name=self.name,
            title=self.name.replace("_", " ").capitalize(),
            description=getdoc(self.call),
            input_schema=self._arguments.model_json_schema(),
            output_schema=self._answer.json_schema(mode="serialization"),
            annotations=ToolAnnotations(
                read_only_hint=not self.changes, destructive_hint=False, idempotent_hint=not self.changes, open_world_hint=False
            ),
        )

    def run(self, context: Context, given: Mapping[str, Any]) -> CallToolResult:
        """Call it with these arguments."""
        try:
            answer = self.call(context, self._arguments.model_validate(given))
        except ValidationError as error:
            return failure(f"The arguments of {self.name} are wrong: {mistakes(error)}.")
        except EarshotError as error:
            return failure(str(error))
        except psycopg.OperationalError:
            return failure("The database does not answer. Run `earshot doctor` on the machine of the library.")
        content = self._answer.dump_python(answer, mode="json", exclude_defaults=True)
        text = TextContent(type="text", text=json.dumps(content, ensure_ascii=False))
        return CallToolResult(content=[text], structured_content=content)

    @cached_property
    def _arguments(self) -> type[Arguments]:
        return next(kind for kind in self._hints.values() if issubclass(kind, Arguments))

    @cached_property
    def _answer(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._hints["return"])

    @cached_property
    def _hints(self) -> Mapping[str, Any]:
        return get_type_hints(self.call)


def failure(message: str) -> CallToolResult:
    """An answer that is an error."""
    return CallToolResult(content=[TextContent(type="text", text=one_line(message))], is_error=True)
