"""Asks before something that cannot be undone."""

import sys

import click

from earshot.common.errors import EarshotError


def confirmed(yes: bool, question: str, declined: str) -> bool:
    """Whether the user agrees, now or with --yes. Raises EarshotError without a terminal to ask on."""
    if yes:
        return True
    if not _is_interactive():
        raise EarshotError(f"{declined} There is no terminal to ask on: {question}", "To agree, add --yes.")
    agreed = click.confirm(question)
    if not agreed:
        click.echo(declined)
    return agreed


def _is_interactive() -> bool:
    return sys.stdin.isatty()
