"""`earshot people correct`: enter or undo a correction of who speaks. Each correction has a number, which `--undo` takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from earshot.storage.database import Database, open_database

if TYPE_CHECKING:
    from earshot.speakers.corrections.commands import CorrectionResult
    from earshot.speakers.voices.speakers import Key


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
@click.option("--undo", type=click.IntRange(min=1), metavar="NUMBER", help="Undo a correction.")
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
    database = open_database()
    if undo is not None:
        apply_change(database, lambda: _undo(database, undo))
    elif split:
        apply_change(database, lambda: _split(database, text))
    elif is_name is not None or never_name is not None:
        apply_change(database, lambda: _person(database, text, is_name, never_name))
    else:
        apply_change(database, lambda: _voices(database, text, same_as, not_same_as))


@dataclass(frozen=True)
class Change:
    """What a command changed: a message; the number of a new correction; for an undone one, the voice numbers to restore."""

    message: str
    correction: int | None = None
    former_numbers: "Mapping[Key, int]" = field(default_factory=dict)


def apply_change(database: Database, make: Callable[[], Change]) -> None:
    """Make a change, identify all speakers again, and print both results. Other processes wait meanwhile."""
    from earshot.library.corrections import identifying_again

    with identifying_again(database) as identification:
        change = make()
        click.echo(change.message)
        identification.correction, identification.former_numbers = change.correction, change.former_numbers
    click.echo("\n".join(identification.renamed) if identification.renamed else "No speaker's name changed.")


def _person(database: Database, text: str, is_name: str | None, never_name: str | None) -> Change:
    from earshot.speakers.corrections.commands import assign_person, exclude_person
    from earshot.speakers.corrections.targets import parse_target
    from earshot.speakers.people.directory import suggest

    target = parse_target(database, text)
    if is_name is None:
        entered = exclude_person(database, target, never_name or "")
        return Change(f"{_number(entered)}: {target.description} is never {entered.person}.", entered.number)
    suggestion = suggest(database, is_name)
    entered = assign_person(database, target, is_name)
    lines = [f"{_number(entered)}: {target.description} is {entered.person}."]
    if entered.new_person:
        lines.append(f"{entered.person} is a new person. {suggestion}".strip())
    if entered.over:
        from earshot.common.text import join_numbers

        lines.append(f"It overrides correction {join_numbers(entered.over)} where they overlap.")
    if target.turn:
        lines.append(f"Only this turn is {entered.person}'s; the rest of its speaker is not affected.")
    return Change("\n".join(lines), entered.number)


def _voices(database: Database, text: str, same_as: str | None, not_same_as: str | None) -> Change:
    from earshot.speakers.corrections.commands import merge_voices, separate_voices
    from earshot.speakers.corrections.targets import parse_target

    first, second = parse_target(database, text), parse_target(database, same_as or not_same_as or "")
    correct, result = (merge_voices, "one voice") if same_as is not None else (separate_voices, "two voices")
    entered = correct(database, first, second)
    return Change(f"{_number(entered)}: {first.description} and {second.description} are {result}.", entered.number)


def _split(database: Database, text: str) -> Change:
    from earshot.library.corrections import anonymous_voice
    from earshot.speakers.corrections.commands import split_voice
    from earshot.speakers.corrections.targets import Target
    from earshot.transcripts.speaker_names import voice_label

    number = anonymous_voice(text)
    entered, first, second = split_voice(database, number)

    def videos(part: Target) -> str:
        return ", ".join(dict.fromkeys(video_id for video_id, _ in part.speakers))

    message = f"{_number(entered)}: {voice_label(number)} is two voices.\nOne is in {videos(first)}."
    return Change(f"{message}\nThe other is in {videos(second)}.", entered.number)


def _undo(database: Database, number: int) -> Change:
    from earshot.speakers.tables.corrections import remove_correction
    from earshot.speakers.tables.identities import former_numbers

    numbers = former_numbers(database, number)
    person = remove_correction(database, number)
    removed = f" Removed {person}, whom nothing else mentions." if person else ""
    return Change(f"Undid correction {number}.{removed}", former_numbers=numbers)


def _number(entered: "CorrectionResult") -> str:
    return f"Correction {entered.number}"
