"""`earshot people`: who is known, and what was said to be wrong. Each command is a thin layer over functions of the library."""

import sys
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from earshot.cli.output import json_option, print_json, print_table
from earshot.cli.people.correct import Change, tell_changes
from earshot.common.errors import EarshotError
from earshot.common.text import one_line, pluralize
from earshot.common.times import format_hms
from earshot.config.people_file import read_people
from earshot.config.settings import read_settings
from earshot.speakers.tables.voice_space import voice_space
from earshot.storage.database import open_database

if TYPE_CHECKING:
    from earshot.speakers.people.forget import ForgetSummary
    from earshot.transcripts.speaker_refs import SpeakerRef

MOST_SHOWN = 240  # characters of what a voice says: enough to know it by


@click.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List people and anonymous voices, those of most videos first: how much they speak, and how that was decided.

    What is wrong in people.yaml, if anything is, comes last: until it is right nobody is identified anew.
    """
    from earshot.speakers.people.directory import list_known
    from earshot.speakers.tables.voice_space import count_other_spaces

    settings = read_settings()
    database, space = open_database(), voice_space(settings)
    rows, others = list_known(database, space), count_other_spaces(database, space)
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("Nobody is known yet. Start with: earshot people enrol, or earshot ingest SOURCE")
    else:
        headings = [("who", "left"), ("videos", "right"), ("speech", "right"), ("enrolled", "right"), ("enrolments", "left")]
        unknown = rows[-1]["kind"] == "unknown"
        print_table([*headings, ("decided by", "left")], [_listed(row) for row in rows], last_apart=unknown)
    if others:
        told = f"{pluralize(others, 'video')} with vectors of another model than {space.model}, which are never compared "
        click.echo(f"{told}with today's: run voice_embeddings for them again (a backfill in the UI).", err=True)
    read_people(settings.people)


def _listed(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        str(row["videos"] or ""),
        format_hms(row["speech_s"]) if row["speakers"] else "",
        format_hms(row["enrolled_s"]) if row["enrolled_s"] else "",
        ", ".join(f"{count} {verdict}" for verdict, count in row["enrolments"].items()),
        ", ".join(_decided(row)),
    )


def _decided(row: dict[str, Any]) -> list[str]:
    """What decided, or why nothing did; and where only single turns are the person's."""
    if row["kind"] == "unknown":
        return [f"{count} {kind}" for kind, count in row["reasons"].items()]
    moments = [f"single turns in {pluralize(row['moments'], 'video')} by correction"] * bool(row["moments"])
    return [f"{count} by {what}" for what, count in row["decided_by"].items()] + moments


@click.command("show")
@click.argument("who", nargs=-1, required=True)
@json_option
def show_command(who: tuple[str, ...], as_json: bool) -> None:
    """Show WHO (a name, or "voice 7"): where they speak and why that was decided, their recordings, their corrections."""
    from earshot.speakers.people.directory import resolve, show_known

    database, space = open_database(), voice_space(read_settings())
    shown = show_known(database, resolve(database, " ".join(who)), space)
    if as_json:
        print_json(shown)
        return
    click.echo(f"{shown['name']}{': ' if shown['notes'] else ''}{shown['notes']}")
    if shown["speaks"]:
        _print_appearances(shown["speaks"], shown["score"])
    elif not shown["moments"]:
        click.echo("Speaks in no video that is known.")
    _print_said(shown)
    for enrolment in shown["enrolments"]:
        click.echo(_enrolment(enrolment))
    for correction in shown["corrections"]:
        click.echo(f"Correction {correction['told']}")


def _print_appearances(rows: list[dict[str, Any]], score: str) -> None:
    click.echo(f"Scores: {score}.")
    headings = [("video", "left"), ("title", "left"), ("speaker", "left"), ("speech", "right"), ("score", "right")]
    headings += [("margin", "right"), ("decided by", "left")]
    cells = [
        (
            row["video_id"], row["title"], row["local_speaker"], format_hms(row["speech_s"]), _figure(row["score"]),
            _figure(row["margin"]), row["decided_by"],
        )
        for row in rows
    ]  # fmt: skip
    print_table(headings, cells)


def _print_said(shown: dict[str, Any]) -> None:
    """What is heard of a voice in each video, and the single turns that are the person's."""
    for row in shown["speaks"]:
        first = {"start_s": row["first_s"] or 0.0, "text": "(no words)", "link": row["link"]}
        _print_line(row["title"], **(row["excerpt"] or first))
    if shown["moments"]:
        click.echo("Single turns, by correction:")
    for row in shown["moments"]:
        _print_line(row["title"], row["start_s"], row["text"] or "(no words)", row["link"])


def _print_line(title: str, start_s: float, text: str, link: str) -> None:
    click.echo(f"{one_line(title)}  [{format_hms(start_s)}] {shorten(text, MOST_SHOWN, placeholder=' ...')}\n   {link}")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _enrolment(row: dict[str, Any]) -> str:
    from earshot.speakers.voices.enrolment_quality import tenths

    until = "its end" if row["end_s"] is None else format_hms(row["end_s"])
    judged = "not judged yet" if row["verdict"] is None else f"{row['verdict']}, {tenths(row['clean_s'])} s of clean speech"
    reasons = f" ({row['reasons']})" if row["reasons"] else ""
    return f"Enrolled by {row['kind']} {row['recording']}, {format_hms(row['start_s'])} to {until}: {judged}{reasons}"


@click.command("rename")
@click.argument("old")
@click.argument("new")
def rename_command(old: str, new: str) -> None:
    """Give the person OLD the name NEW, in all that is shown and exported from now on."""
    from earshot.library.people import known_person
    from earshot.speakers.people.rename import rename

    database = open_database()
    who = known_person(database, old)
    tell_changes(database, lambda: Change(f"{who.name} is called {rename(database, read_settings(), who, new)} now."))


@click.command("merge")
@click.argument("one")
@click.argument("other")
@click.option("--yes", is_flag=True, help="Do not ask.")
def merge_command(one: str, other: str, yes: bool) -> None:
    """Make two people one: the OTHER has the enrolments, corrections and notes of ONE, whose name is gone. There is no undo."""
    from earshot.library.people import known_person
    from earshot.speakers.people.forget import count_traces
    from earshot.speakers.people.rename import merge

    database = open_database()
    gone, stays = known_person(database, one), known_person(database, other)
    told = _taken(count_traces(database, gone))
    if _agreed(yes, f"Make {gone.name} ({told}) and {stays.name} one person, {stays.name}, for good?", "Nobody was merged."):
        tell_changes(database, lambda: Change(_merged(gone, stays, merge(database, read_settings(), gone, stays))))


def _merged(gone: "SpeakerRef", stays: "SpeakerRef", found: "ForgetSummary") -> str:
    return f"{gone.name} is {stays.name}, who has {_taken(found)} more."


@click.command("remove")
@click.argument("name", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_command(name: tuple[str, ...], yes: bool) -> None:
    """Remove the person NAME with enrolments and corrections, for good. Who was taken for that person is an anonymous voice.

    Vectors of what they said stay: `earshot people forget` takes those as well.
    """
    from earshot.library.people import known_person
    from earshot.speakers.people.forget import count_traces, remove, require_unlisted

    database = open_database()
    who = known_person(database, " ".join(name))
    require_unlisted(read_settings(), who.name)
    if _agreed(yes, f"Remove {who.name} ({_taken(count_traces(database, who))}) for good?", "Nobody was removed."):
        tell_changes(database, lambda: Change(f"{who.name} is removed: {_taken(remove(database, who))}."))


@click.command("forget")
@click.argument("who", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget_command(who: tuple[str, ...], yes: bool) -> None:
    """Forget WHO (a name, or "voice 7"): profile, recordings, corrections, and all vectors of that voice, for good.

    Audio, transcripts and backups stay; docs/guides/forgetting.md says more.
    """
    from earshot.speakers.people.directory import resolve
    from earshot.speakers.people.forget import count_traces, forget, require_unlisted

    database = open_database()
    known = resolve(database, " ".join(who))
    if known.person_id is not None:
        require_unlisted(read_settings(), known.name)
    found = count_traces(database, known)
    if not _agreed(yes, f"Forget {known.name} ({_spoken(found)}, {_taken(found)}) for good?", "Nothing was forgotten."):
        return
    gone = forget(database, known)
    click.echo(
        f"Forgotten: {_spoken(gone)}, {_taken(gone)}. Audio, transcripts, backups and the write-ahead log are as they were "
        "(docs/guides/forgetting.md)."
    )


def _agreed(yes: bool, question: str, refused: str) -> bool:
    """Whether the user says yes, or said so with --yes. Raises EarshotError where nobody can be asked."""
    if yes:
        return True
    try:
        agreed = click.confirm(question)
    except click.Abort:
        if sys.stdin.isatty():
            raise  # by Ctrl-C
        click.echo(err=True)  # ends the line of the question
        raise EarshotError(f"{refused} Nobody is at a terminal to answer: {question}", "Say yes with --yes.") from None
    if not agreed:
        click.echo(refused)
    return agreed


def _taken(found: "ForgetSummary") -> str:
    return f"{pluralize(found.enrolments, 'enrolment')}, {pluralize(found.corrections, 'correction')}"


def _spoken(found: "ForgetSummary") -> str:
    where = f"{pluralize(found.speakers, 'speaker')} in {pluralize(found.videos, 'video')}"
    return f"{where}, vectors of {pluralize(found.turns, 'turn')}"
