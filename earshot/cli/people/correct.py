"""`earshot people correct`: enter or undo a correction of who speaks. Each correction has a number, which `--undo` takes."""

from typing import TYPE_CHECKING

import click

from earshot import open_library

if TYPE_CHECKING:
    from earshot import SpeakerChange


class _UnquotedVoices(click.Command):
    """A command that reads `voice 7` as one argument even without quotes, also after an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        joined: list[str] = []
        for word in args:
            if joined and joined[-1].lower() == "voice" and word.isdecimal():
                joined[-1] += f" {word}"
            else:
                joined.append(word)
        return super().parse_args(ctx, joined)


@click.command("correct", cls=_UnquotedVoices)
@click.argument("what", nargs=-1, metavar="[WHAT]")
@click.option("--is", "is_name", metavar="NAME", help="It is this person. A new name adds a person.")
@click.option("--never", "never_name", metavar="NAME", help="It is never this person.")
@click.option("--same-as", metavar="OTHER", help="It is the same voice as OTHER.")
@click.option("--not-same-as", metavar="OTHER", help="It is another voice than OTHER.")
@click.option("--split", is_flag=True, help="Split this anonymous voice in two, at its last merge.")
@click.option("--undo", type=click.IntRange(min=1), metavar="NUMBER", help="Undo a correction, or a rename or merge of people.")
def correct_command(
    what: tuple[str, ...],
    is_name: str | None,
    never_name: str | None,
    same_as: str | None,
    not_same_as: str | None,
    split: bool,
    undo: int | None,
) -> None:
    """Correct who is speaking.

    WHAT is a voice ("voice 7"), a speaker of a video (VIDEO@SPEAKER_01), or a turn by its time (VIDEO@0:12:30). A correction
    overrides the automatic decision, holds when the video is run again, and improves the person's profile.
    """
    given = [option is not None for option in (is_name, never_name, same_as, not_same_as, undo)] + [split]
    if sum(given) != 1:
        raise click.UsageError("Give exactly one of --is, --never, --same-as, --not-same-as, --split and --undo.")
    text = " ".join(what)
    if bool(text) == (undo is not None):
        raise click.UsageError("--undo takes only a number." if text else "Name WHAT to correct: a voice, a speaker or a turn.")
    corrections = open_library().corrections
    if undo is not None:
        print_change(corrections.undo(undo))
    elif split:
        print_change(corrections.split_voice(text))
    elif is_name is not None:
        print_change(corrections.assign(text, is_name))
    elif never_name is not None:
        print_change(corrections.exclude(text, never_name))
    elif same_as is not None:
        print_change(corrections.merge_voices(text, same_as))
    else:
        print_change(corrections.separate_voices(text, not_same_as or ""))


def print_change(change: "SpeakerChange") -> None:
    """Print what was changed, and which speakers have a new name because of it."""
    click.echo(change.message)
    click.echo("\n".join(change.renamed) or "No speaker's name changed.")
