"""Arguments that several commands take."""

from collections.abc import Callable
from typing import Any

import click

Day = click.DateTime(["%Y-%m-%d"])

_FILTER = (
    click.option(
        "--source", "sources", multiple=True, metavar="SOURCE", help="Only videos of this source, by name or address."
    ),
    click.option("--video", "videos", multiple=True, metavar="VIDEO", help="Only this video."),
    click.option("--language", "languages", multiple=True, metavar="CODE", help="Only videos in this language: en, de, ..."),
    click.option("--since", type=Day, metavar="DATE", help="Only uploads of this day (UTC) and later."),
    click.option("--until", type=Day, metavar="DATE", help="Only uploads of this day and before."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that restrict a command to some videos, in this order."""
    for option in reversed(_FILTER):
        command = option(command)
    return command
