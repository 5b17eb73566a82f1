"""Options shared by several commands."""

from collections.abc import Callable, Sequence
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

_HINTS = (
    click.option("--speakers", metavar="N", help="How many people speak: 2, 2-4, 2+ (two or more)."),
    click.option("--languages", metavar="CODES", help="The languages that may be spoken: en,de."),
    click.option("--vocabulary", metavar="WORDS", help="Names and words that are said, separated by commas."),
    click.option("--vocabulary-from", metavar="PLACES", help="More words: those of corrections, people, title."),
    click.option("--prompt", metavar="TEXT", help="A text like an earlier transcript, for style and spelling."),
)


def hint_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that give hints; each is None if it is not given."""
    return _with_options(command, _HINTS)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that restrict a command to some videos."""
    return _with_options(command, _FILTER)


def _with_options(command: Callable[..., Any], options: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    for option in reversed(options):  # the first is listed first in `--help`
        command = option(command)
    return command
