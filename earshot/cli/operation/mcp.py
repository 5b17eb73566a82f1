"""`earshot mcp`: serves the library to an AI assistant over MCP. The assistant's program starts it."""

import sys

import click

from earshot.cli.interrupt import exit_on_interrupt
from earshot.library.library import Library


@click.command("mcp")
@click.option("--allow-corrections", is_flag=True, help="Also offer tools that name voices, and correct words and speakers.")
def mcp_command(allow_corrections: bool) -> None:
    """Let an AI assistant search and read the library, over MCP.

    The assistant's program starts this command and speaks with it on stdin and stdout; docs/guides/mcp.md has the lines for its
    settings. Changes nothing unless --allow-corrections is given. A running page answers the same at /mcp.
    """
    from earshot.integrations.mcp.stdio import serve

    if sys.stdin.isatty():
        click.echo("Waiting for an MCP client on stdin; Ctrl-D ends this. See docs/guides/mcp.md.", err=True)
    with exit_on_interrupt():  # the thread that reads stdin would wait for the next line
        serve(Library(), allow_corrections)
