"""Options of servers, and the addresses they listen on: refuses those that are taken, or open without a token."""

import socket
from collections.abc import Callable

import click

from earshot.common.errors import Misconfigured
from earshot.config.home import LOOPBACK

UI_PORT = 3000  # of Dagster's UI

host_option = click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Beyond loopback, EARSHOT_PAGE_TOKEN must be set.",
)
name_option = click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Another host name by which browsers call this server."
)
mcp_option = click.option(
    "--mcp-corrections", is_flag=True, help="Let assistants that use /mcp name voices, and correct words and speakers."
)


def port_option(
    default: int, name: str = "--port", text: str = "Port to listen on."
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option for a port; `text` is its help."""
    return click.option(name, type=click.IntRange(1, 65535), default=default, show_default=True, help=text)


def refuse_taken(host: str, port: int, option: str) -> None:
    """Raise Misconfigured if this address cannot be listened on; `option` is how to choose another port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"Cannot listen on {host}:{port} ({error.strerror}).", f"Choose another port: {option} {port + 10}"
            ) from error


def refuse_open(host: str, token: str | None) -> None:
    """Raise Misconfigured if other machines could reach this host without a token."""
    if host not in LOOPBACK and not token:
        raise Misconfigured(
            f"Other machines can reach {host}, and anyone there could read and change this library.",
            "Set EARSHOT_PAGE_TOKEN to a long random text that browsers must then give, or listen on 127.0.0.1.",
        )
