"""`earshot hints`: show, give and clear the hints for a video."""

import click

from earshot import open_library
from earshot.cli.arguments import hint_options
from earshot.cli.output import json_option, print_json, print_table
from earshot.library.upkeep.hints import AppliedHints, read_hints

HEADINGS = [("hint", "left"), ("value", "left"), ("given for", "left")]


@click.command("hints")
@click.argument("video")
@hint_options
@click.option("--clear", is_flag=True, help="Remove the hints that were given for this video; those of its source apply.")
@json_option
def hints_command(video: str, clear: bool, as_json: bool, **given: str | None) -> None:
    """Show or give hints for a video: speakers, languages, names.

    VIDEO is a key or a title. A hint replaces that of the video's source in sources.yaml; "any" for --speakers and --languages,
    "none" for --vocabulary-from and "" for the others mean no hint at all. The stages that a hint concerns become stale.
    """
    hints = read_hints(**given)
    if clear and hints.given:
        raise click.UsageError("Give hints, or --clear them.")
    library = open_library().hints
    applied = library.clear(video) if clear else library.keep(video, hints) if hints.given else library.of(video)
    if as_json:
        print_json(applied.described)
    else:
        _print(applied)


def _print(applied: AppliedHints) -> None:
    if applied.apply.given:
        print_table(HEADINGS, [(key, _shown(value), _origin(applied, key)) for key, value in applied.apply.given.items()])
    else:
        click.echo(f"There are no hints for {applied.video_id}.")
    if applied.stale:
        stages = ", ".join(applied.stale)
        click.echo(f"Out of date: {stages}. To run them again: earshot backfill --stale --video {applied.video_id}")


def _shown(value: str | list[str]) -> str:
    return (value if isinstance(value, str) else ", ".join(value)) or "none"


def _origin(applied: AppliedHints, key: str) -> str:
    return "this video" if key in applied.own.given else "its source"
