"""`earshot people correct`: who really speaks. Each correction has a number, by which it is taken back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from earshot.storage.database import Database, open_database

if TYPE_CHECKING:
    from earshot.speakers.corrections.commands import CorrectionResult
    from earshot.speakers.voices.speakers import Key


class _UnquotedVoices(click.Command):
    """A command to which `voice 7` is one word, with or without quotes, also behind an option."""

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
@click.option("--is", "is_name", metavar="NAME", help="This person speaks, who is added where nobody has the name.")
@click.option("--never", "never_name", metavar="NAME", help="This person never does.")
@click.option("--same-as", metavar="OTHER", help="This voice and the OTHER are one.")
@click.option("--not-same-as", metavar="OTHER", help="This voice and the OTHER are two.")
@click.option("--split", is_flag=True, help="This anonymous voice is two: divide it where it was joined last.")
@click.option("--undo", type=click.IntRange(min=1), metavar="NUMBER", help="Take a correction back.")
def correct_command(
    what: tuple[str, ...],
    is_name: str | None,
    never_name: str | None,
    same_as: str | None,
    not_same_as: str | None,
    split: bool,
    undo: int | None,
) -> None:
    """Say who speaks in WHAT: a voice ("voice 7"), a speaker (VIDEO@SPEAKER_01), or a turn by its time (VIDEO@0:12:30).

    Corrections win over the machine, hold when a video is run again, and teach the person's profile.
    """
    given = [option is not None for option in (is_name, never_name, same_as, not_same_as, undo)] + [split]
    if sum(given) != 1:
        raise click.UsageError("Say one thing: --is, --never, --same-as, --not-same-as, --split or --undo.")
    text = " ".join(what)
    if bool(text) == (undo is not None):
        raise click.UsageError("--undo takes a number alone." if text else "Say of whom: a voice, a speaker or a turn.")
    database = open_database()
    if undo is not None:
        tell_changes(database, lambda: _undo(database, undo))
    elif split:
        tell_changes(database, lambda: _split(database, text))
    elif is_name is not None or never_name is not None:
        tell_changes(database, lambda: _person(database, text, is_name, never_name))
    else:
        tell_changes(database, lambda: _voices(database, text, same_as, not_same_as))


@dataclass(frozen=True)
class Change:
    """What a command did, in words; the correction that it entered, or the voice numbers that the one taken back had cost."""

    told: str
    said: int | None = None
    undone: "Mapping[Key, int]" = field(default_factory=dict)


def tell_changes(database: Database, change: Callable[[], Change]) -> None:
    """Make a change, decide anew who speaks, and tell both; nobody else changes anything meanwhile."""
    from earshot.library.corrections import deciding_anew

    with deciding_anew(database) as decision:
        done = change()
        click.echo(done.told)
        decision.said, decision.undone = done.said, done.undone
    click.echo("\n".join(decision.renamed) if decision.renamed else "No speaker's name changed.")


def _person(database: Database, text: str, is_name: str | None, never_name: str | None) -> Change:
    from earshot.speakers.corrections.commands import assign_person, exclude_person
    from earshot.speakers.corrections.targets import parse_target
    from earshot.speakers.people.directory import suggest

    subject = parse_target(database, text)
    if is_name is None:
        entered = exclude_person(database, subject, never_name or "")
        return Change(f"{_number(entered)}: {subject.description} is never {entered.person}.", entered.number)
    near = suggest(database, is_name)
    entered = assign_person(database, subject, is_name)
    told = [f"{_number(entered)}: {subject.description} is {entered.person}."]
    if entered.new_person:
        told.append(f"{entered.person} is new. {near}".strip())
    if entered.over:
        from earshot.common.text import join_numbers

        told.append(f"Where it covers correction {join_numbers(entered.over)}, the new one holds.")
    if subject.turn:
        told.append(f"The turn is shown as {entered.person}'s, whoever the rest of its speaker is.")
    return Change("\n".join(told), entered.number)


def _voices(database: Database, text: str, same_as: str | None, not_same_as: str | None) -> Change:
    from earshot.speakers.corrections.commands import merge_voices, separate_voices
    from earshot.speakers.corrections.targets import parse_target

    one, other = parse_target(database, text), parse_target(database, same_as or not_same_as or "")
    say, told = (merge_voices, "one voice") if same_as is not None else (separate_voices, "two voices")
    entered = say(database, one, other)
    return Change(f"{_number(entered)}: {one.description} and {other.description} are {told}.", entered.number)


def _split(database: Database, text: str) -> Change:
    from earshot.library.corrections import anonymous_voice
    from earshot.speakers.corrections.commands import split_voice
    from earshot.speakers.corrections.targets import Target
    from earshot.transcripts.speaker_names import voice_label

    number = anonymous_voice(text)
    entered, one, other = split_voice(database, number)

    def videos(part: Target) -> str:
        return ", ".join(dict.fromkeys(video_id for video_id, _ in part.speakers))

    told = (
        f"{_number(entered)}: {voice_label(number)} is two voices.\nOne is in {videos(one)}.\nThe other is in {videos(other)}."
    )
    return Change(told, entered.number)


def _undo(database: Database, number: int) -> Change:
    from earshot.speakers.tables.corrections import remove_correction
    from earshot.speakers.tables.identities import former_numbers

    undone = former_numbers(database, number)
    person = remove_correction(database, number)
    gone = f" {person} goes with it: nothing else was said of that person." if person else ""
    return Change(f"Correction {number} is taken back.{gone}", undone=undone)


def _number(entered: "CorrectionResult") -> str:
    return f"Correction {entered.number}"
