"""`earshot serve`: one of Dagster's processes, where something else starts and restarts them: containers, another supervisor.

`earshot up` starts all of them, on one machine. A command here prepares the library and Dagster's instance, and then becomes
Dagster's process, or runs it in its own, so that it gets the signals. Webserver and daemon load the code that a workspace.yaml
names: in containers the code server, elsewhere the definitions themselves.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from earshot.cli.operation.listening import UI_PORT, host_option, name_option, port_option, refuse_open, refuse_taken
from earshot.config.settings import read_settings
from earshot.config.settings_file import project_folder
from earshot.storage.database import open_database
from resources.instance.code_server import LOCATION, MODULE

CODE_PORT = 4000

workspace_option = click.option("--workspace", metavar="FILE", help="What to load, instead of the folder's workspace.yaml.")


@click.group("serve")
def serve_group() -> None:
    """Run one of Dagster's processes, in containers or under a supervisor.

    `earshot up` starts all of them on one machine.
    """


@serve_group.command("code")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on. There is no login.")
@port_option(CODE_PORT)
def code_command(host: str, port: int) -> None:
    """Serve the definitions to the webserver and the daemon.

    Makes the tables first: start it before the others.
    """
    from resources.instance.home import open_instance  # loads Dagster, which takes seconds

    open_database()
    open_instance()
    os.chdir(project_folder())
    module = ["--module-name", MODULE, "--location-name", LOCATION]
    _become("dagster", "api", "grpc", "--host", host, "--port", str(port), *module)


@serve_group.command("webserver")
@host_option
@port_option(UI_PORT)
@name_option
@workspace_option
def webserver_command(host: str, port: int, names: tuple[str, ...], workspace: str | None) -> None:
    """Serve Dagster's UI, with the page's rules of access.

    `dagster-webserver` alone lets any site that its user visits start and delete runs.
    """
    from starlette.middleware import Middleware

    from earshot.page.http.access import access_to
    from earshot.page.http.dagster_guard import DagsterGuard
    from resources.instance.servers import serve_dagster

    settings = read_settings()
    refuse_open(host, settings.page_token)
    refuse_taken(host, port, "earshot serve webserver --port")
    _prepare()
    guard = Middleware(DagsterGuard, access=access_to(host, names, settings.page_token))
    serve_dagster(["--host", host, "--port", str(port), "--workspace", workspace or _workspace()], guard)


@serve_group.command("daemon")
@workspace_option
def daemon_command(workspace: str | None) -> None:
    """Run the sensors and the queue. Each library needs exactly one.

    It ends if the clock is set back by more than a minute: have it started again.
    """
    from resources.instance.servers import run_daemon

    _prepare()
    run_daemon(workspace or _workspace())


def _prepare() -> None:
    from resources.instance.home import prepare_dagster_home

    open_database()
    prepare_dagster_home()
    os.chdir(project_folder())


def _workspace() -> str:
    return str(project_folder() / "workspace.yaml")


def _become(program: str, *arguments: str) -> NoReturn:
    """Replace this process by a program of this environment."""
    path = Path(sys.executable).parent / program
    os.execv(path, [str(path), *arguments])
