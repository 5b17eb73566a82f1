"""`earshot people correct`: who really speaks. Each correction has a number, by which it is taken back."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from resources.database import Database, open_database

if TYPE_CHECKING:
    from ingest_assets.entering import Entered


@click.command("correct")
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


def tell_changes(database: Database, change: Callable[[], str]) -> None:
    """Make a change, decide anew who speaks, and tell both; nobody else changes anything meanwhile."""
    from ingest_assets.identification import PEOPLE_LOCK, identify
    from ingest_assets.known_voices import changes, who_is_who
    from resources.locks import holding

    with holding(database.url, PEOPLE_LOCK):
        before = who_is_who(database)
        click.echo(change())
        identify(database)
        told = changes(before, who_is_who(database))
    click.echo("\n".join(told) if told else "No speaker is called otherwise than before.")


def _person(database: Database, text: str, is_name: str | None, never_name: str | None) -> str:
    from ingest_assets.entering import say_is, say_never
    from ingest_assets.known_voices import near_names
    from ingest_assets.subjects import find_subject

    subject = find_subject(database, text)
    if is_name is None:
        entered = say_never(database, subject, never_name or "")
        return f"{_number(entered)}: {subject.told} is never {entered.person}."
    near = near_names(database, is_name)
    entered = say_is(database, subject, is_name)
    told = [f"{_number(entered)}: {subject.told} is {entered.person}."]
    if entered.new_person:
        told.append(f"{entered.person} is new. {near}".strip())
    if entered.over:
        from ingest_assets.wording import numbered

        told.append(f"Where it covers correction {numbered(entered.over)}, the new one holds.")
    if subject.turn:
        told.append(f"The turn is shown as {entered.person}'s, whoever the rest of its speaker is.")
    return "\n".join(told)


def _voices(database: Database, text: str, same_as: str | None, not_same_as: str | None) -> str:
    from ingest_assets.entering import say_different, say_same
    from ingest_assets.subjects import find_subject

    one, other = find_subject(database, text), find_subject(database, same_as or not_same_as or "")
    if same_as is not None:
        return f"{_number(say_same(database, one, other))}: {one.told} and {other.told} are one voice."
    return f"{_number(say_different(database, one, other))}: {one.told} and {other.told} are two voices."


def _split(database: Database, text: str) -> str:
    from ingest_assets.entering import say_split
    from ingest_assets.subjects import Subject, voice_number
    from resources.errors import EarshotError

    number = voice_number(text)
    if number is None:
        raise EarshotError(f"{text!r} is no anonymous voice, and only those are split.", "Name one, such as 'voice 7'.")
    entered, one, other = say_split(database, number)

    def videos(part: Subject) -> str:
        return ", ".join(dict.fromkeys(video_id for video_id, _ in part.speakers))

    return f"{_number(entered)}: voice {number} is two voices.\nOne is in {videos(one)}.\nThe other is in {videos(other)}."


def _undo(database: Database, number: int) -> str:
    from resources.corrections import remove_correction

    remove_correction(database, number)
    return f"Correction {number} is taken back."


def _number(entered: "Entered") -> str:
    return f"Correction {entered.number}"
