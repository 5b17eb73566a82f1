"""`earshot correct`: enter, list and undo corrections of words. Each has a number, which `--undo` takes."""

from dataclasses import asdict

import click

from earshot import open_library
from earshot.cli.output import json_option, print_json


@click.command("correct")
@click.argument("what", required=False, metavar="[HIT|VIDEO|VIDEO@TIME]")
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--list", "as_list", is_flag=True, help="List the corrections of words, of VIDEO or of all videos.")
@click.option("--undo", type=click.IntRange(min=1), metavar="NUMBER", help="Undo a correction of words.")
@json_option
def correct_command(what: str | None, old: str | None, new: str | None, as_list: bool, undo: int | None, as_json: bool) -> None:
    """Correct words of a transcript.

    OLD are the words as they are shown, NEW those that were said; NEW "" deletes them. HIT is the number of a result of the
    last search; with a time, such as VIDEO@0:12:30, the first OLD within 30 seconds from then on is corrected. A correction
    holds when the video is transcribed again. To correct who speaks, use `earshot people correct`.
    """
    given = [old is not None, as_list, undo is not None]
    if sum(given) != 1 or (undo is not None and what) or (old is not None and new is None):
        raise click.UsageError("Give WHAT, OLD and NEW, or --list, or --undo NUMBER.")
    corrections = open_library().word_corrections
    if as_list:
        listed = corrections.list(what)
        if as_json:
            print_json([asdict(each) for each in listed])
        else:
            click.echo("\n".join(each.description for each in listed) or "No words were corrected.")
        return
    change = corrections.undo(undo) if undo is not None else corrections.replace(what or "", old or "", new or "")
    if as_json:
        print_json(asdict(change))
    else:
        click.echo(change.message)
