"""`earshot page`: serves Earshot's page, to search, read, hear and name in a browser."""

from uuid import uuid4

import click

from earshot.cli.operation.listening import host_option, mcp_option, name_option, port_option, refuse_open, refuse_taken
from earshot.config.home import PAGE_PORT
from earshot.config.settings import read_settings
from earshot.library.library import Library


@click.command("page")
@host_option
@port_option(PAGE_PORT)
@name_option
@mcp_option
def page_command(host: str, port: int, names: tuple[str, ...], mcp_corrections: bool) -> None:
    """Serve Earshot's page alone, without the queue.

    Runs in the foreground until Ctrl-C. `earshot up` serves the page, too.
    """
    from earshot.page.http.access import access_to
    from earshot.page.serving import serve

    settings = read_settings()
    refuse_open(host, settings.page_token)
    refuse_taken(host, port, "earshot page --port")
    library = Library(measured_as=f"page-{uuid4().hex[:8]}")
    _ = library.database  # its errors come before the address
    click.echo(f"Earshot's page is at http://{host}:{port} (Ctrl-C stops it).")
    serve(library, access_to(host, names, settings.page_token), host, port, settings, mcp_corrections)
