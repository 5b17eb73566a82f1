"""`earshot webserver`: serves Dagster's UI with the page's rules of access."""

import click

from earshot.cli.operation.listening import name_option, refuse_open, refuse_taken
from earshot.config.settings import read_settings


@click.command("webserver")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Beyond loopback, EARSHOT_PAGE_TOKEN must be set.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Port to listen on.")
@name_option
@click.option("--workspace", metavar="FILE", help="Where Dagster finds its definitions, instead of workspace.yaml.")
def webserver_command(host: str, port: int, names: tuple[str, ...], workspace: str | None) -> None:
    """Serve Dagster's UI alone, as `earshot up` does.

    `dagster-webserver` does the same, but lets any site that its user visits start and delete runs.
    """
    from starlette.middleware import Middleware

    from earshot.page.http.access import access_to
    from earshot.page.http.dagster_guard import DagsterGuard
    from resources.instance.home import prepare_dagster_home
    from resources.instance.webserver import serve_dagster

    settings = read_settings()
    refuse_open(host, settings.page_token)
    refuse_taken(host, port, "earshot webserver --port")
    prepare_dagster_home()
    guard = Middleware(DagsterGuard, access=access_to(host, names, settings.page_token))
    serve_dagster(["-h", host, "-p", str(port), *(["-w", workspace] if workspace else [])], guard)
