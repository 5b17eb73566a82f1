"""`earshot serve`: one of Dagster's processes, where something else starts and restarts them: containers, another supervisor.

`earshot up` starts all of them, on one machine. A command here prepares the library and Dagster's instance, and then becomes
Dagster's process, which thus gets the signals. Webserver and daemon load the code that the project folder's workspace.yaml
names: in containers the code server, elsewhere the definitions themselves.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from earshot.config.settings_file import project_folder
from earshot.storage.database import open_database
from resources.instance.code_server import LOCATION, MODULE

CODE_PORT, WEBSERVER_PORT = 4000, 3000

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on. There is no login.")


def _port_option(default: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--port", type=click.IntRange(1, 65535), default=default, show_default=True, help="Port to listen on.")


@click.group("serve")
def serve_group() -> None:
    """Run one of Dagster's processes, in containers or under a supervisor.

    `earshot up` starts all of them on one machine.
    """


@serve_group.command("code")
@host_option
@_port_option(CODE_PORT)
def code_command(host: str, port: int) -> None:
    """Serve the definitions to the webserver and the daemon.

    Makes the tables first: start it before the others.
    """
    from resources.instance.home import open_instance  # loads Dagster, which takes seconds

    open_database()
    open_instance()
    module = ["--module-name", MODULE, "--location-name", LOCATION]
    _become("dagster", "api", "grpc", "--host", host, "--port", str(port), *module)


@serve_group.command("webserver")
@host_option
@_port_option(WEBSERVER_PORT)
def webserver_command(host: str, port: int) -> None:
    """Serve Dagster's UI."""
    _prepare()
    _become("dagster-webserver", "--host", host, "--port", str(port), "--workspace", _workspace())


@serve_group.command("daemon")
def daemon_command() -> None:
    """Run the sensors and the queue. Each library needs exactly one."""
    _prepare()
    _become("dagster-daemon", "run", "--workspace", _workspace())


def _prepare() -> None:
    from resources.instance.home import prepare_dagster_home

    open_database()
    prepare_dagster_home()


def _workspace() -> str:
    return str(project_folder() / "workspace.yaml")


def _become(program: str, *arguments: str) -> NoReturn:
    """Replace this process by a program of this environment."""
    path = Path(sys.executable).parent / program
    os.chdir(project_folder())
    os.execv(path, [str(path), *arguments])
