"""Options shared by several commands."""

from collections.abc import Callable
from typing import Any

import click

Day = click.DateTime(["%Y-%m-%d"])

_FILTER = (
    click.option("--source", "sources", multiple=True, metavar="SOURCE", help="Only videos of this source (name or address)."),
    click.option("--video", "videos", multiple=True, metavar="VIDEO", help="Only this video (key or title)."),
    click.option("--language", "languages", multiple=True, metavar="CODE", help="Only videos in this language: en, de, ..."),
    click.option("--since", type=Day, metavar="DATE", help="Only videos uploaded on or after this day (UTC)."),
    click.option("--until", type=Day, metavar="DATE", help="Only videos uploaded on or before this day (UTC)."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that restrict a command to some videos."""
    for option in reversed(_FILTER):
        command = option(command)
    return command
