"""A group that imports a command's module only when the command is called, not to print the group's help."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from textwrap import shorten
from typing import Any

import click

from earshot.cli.interrupt import exit_on_interrupt


@dataclass(frozen=True)
class LazyCommand:
    """A command's location, as `module:name`, and the first sentence of its help."""

    location: str
    summary: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, name = self.location.partition(":")
        with exit_on_interrupt():
            command: click.Command = getattr(import_module(module), name)
        return command


class LazyGroup(click.Group):
    """A group whose commands are `LazyCommand`s by name."""

    def __init__(self, *args: Any, lazy_commands: Mapping[str, LazyCommand], **options: Any) -> None:
        super().__init__(*args, **options)
        self.lazy_commands = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(self.lazy_commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        command = self.lazy_commands.get(cmd_name)
        return command.load() if command else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl([(name, shorten(self.lazy_commands[name].summary, limit, placeholder="...")) for name in names])
