"""`earshot people list`, `show`, `rename`, `merge`, `remove` and `forget`: thin layers over `Library.people`."""

import sys
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from earshot import open_library
from earshot.cli.output import json_option, print_json, print_table
from earshot.cli.people.correct import print_change
from earshot.common.errors import EarshotError
from earshot.common.text import one_line, pluralize
from earshot.common.times import format_hms
from earshot.config.people_file import read_people
from earshot.config.settings import read_settings
from earshot.speakers.tables.voice_space import voice_space
from earshot.storage.database import open_database

if TYPE_CHECKING:
    from earshot.speakers.people.forget import ForgetSummary

MOST_SHOWN = 240  # characters of an excerpt: enough to recognize who speaks


@click.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List people and anonymous voices.

    Shows in how many videos each speaks, for how long, and how that was decided; those with most videos first. An error in
    people.yaml is printed last; until it is corrected, no speaker is identified.
    """
    from earshot.speakers.people.directory import list_known
    from earshot.speakers.tables.voice_space import count_other_spaces

    settings = read_settings()
    database, space = open_database(), voice_space(settings)
    rows, others = list_known(database, space), count_other_spaces(database, space)
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No people or voices yet. Start with: earshot ingest SOURCE")
    else:
        headings = [("who", "left"), ("videos", "right"), ("speech", "right"), ("enrolled", "right"), ("enrolments", "left")]
        unknown = rows[-1]["kind"] == "unknown"
        print_table([*headings, ("decided by", "left")], [_cells(row) for row in rows], last_apart=unknown)
    if others:
        click.echo(
            f"Not compared: {pluralize(others, 'video')} with vectors of another model than {space.model}. "
            "To recompute them: earshot backfill --stale voice_embeddings",
            err=True,
        )
    read_people(settings.people)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        str(row["videos"] or ""),
        format_hms(row["speech_s"]) if row["speakers"] else "",
        format_hms(row["enrolled_s"]) if row["enrolled_s"] else "",
        ", ".join(f"{count} {verdict}" for verdict, count in row["enrolments"].items()),
        ", ".join(_decisions(row)),
    )


def _decisions(row: dict[str, Any]) -> list[str]:
    """What the decisions were based on; for the unknown, why there was none."""
    if row["kind"] == "unknown":
        return [f"{count} {kind}" for kind, count in row["reasons"].items()]
    moments = [f"single turns in {pluralize(row['moments'], 'video')} by correction"] * bool(row["moments"])
    return [f"{count} by {basis}" for basis, count in row["decided_by"].items()] + moments


@click.command("show")
@click.argument("who", nargs=-1, required=True)
@json_option
def show_command(who: tuple[str, ...], as_json: bool) -> None:
    """Show where a person or voice speaks, and why.

    WHO is a name or an anonymous voice, such as "voice 7". Also lists the recordings and corrections of a person.
    """
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
        click.echo("Speaks in no video of the library.")
    _print_excerpts(shown)
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


def _print_excerpts(shown: dict[str, Any]) -> None:
    """An excerpt from each video, and the single turns that corrections give to the person."""
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

    until = "the end" if row["end_s"] is None else format_hms(row["end_s"])
    verdict = "not judged yet" if row["verdict"] is None else f"{row['verdict']}, {tenths(row['clean_s'])} s of clean speech"
    reasons = f" ({row['reasons']})" if row["reasons"] else ""
    return f"Enrolled from {row['kind']} {row['recording']}, {format_hms(row['start_s'])} to {until}: {verdict}{reasons}"


@click.command("rename")
@click.argument("old")
@click.argument("new")
def rename_command(old: str, new: str) -> None:
    """Rename a person."""
    print_change(open_library().people.rename(old, new))


@click.command("merge")
@click.argument("one")
@click.argument("other")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def merge_command(one: str, other: str, yes: bool) -> None:
    """Merge one person into another.

    OTHER takes over the enrolments, corrections and notes of ONE; the name ONE is deleted. This cannot be undone.
    """
    from earshot.library.people import known_person

    library = open_library()
    gone, stays = (known_person(library.database, name).name for name in (one, other))
    question = f"Merge {gone} ({library.people.traces(gone)}) into {stays}? This cannot be undone."
    if _confirmed(yes, question, "Nothing was merged."):
        print_change(library.people.merge(gone, stays))


@click.command("remove")
@click.argument("name", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def remove_command(name: tuple[str, ...], yes: bool) -> None:
    """Remove a person, with their recordings and corrections.

    Where they speak, they become an anonymous voice again. This cannot be undone. The vectors of their voice in videos stay;
    `earshot people forget` deletes those, too.
    """
    from earshot.library.people import known_person

    library = open_library()
    person = known_person(library.database, " ".join(name)).name
    library.people.require_unlisted(person)
    question = f"Remove {person} ({library.people.traces(person)})? This cannot be undone."
    if _confirmed(yes, question, "Nothing was removed."):
        print_change(library.people.remove(person))


@click.command("forget")
@click.argument("who", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def forget_command(who: tuple[str, ...], yes: bool) -> None:
    """Forget a person or voice, including all voice vectors.

    WHO is a name or an anonymous voice, such as "voice 7". Deletes the profile, recordings, corrections and every vector of the
    voice. This cannot be undone. Audio, transcripts and backups stay; see docs/guides/forgetting.md.
    """
    people, known = open_library().people, " ".join(who)
    people.require_unlisted(known)
    traces = people.traces(known)
    question = f"Forget {traces.name} ({_vectors(traces)}, {traces})? This cannot be undone."
    if _confirmed(yes, question, "Nothing was forgotten."):
        deleted = people.forget(traces.name)
        click.echo(
            f"Forgotten: {_vectors(deleted)}, {deleted}. Audio, transcripts, backups and the write-ahead log were not changed "
            "(docs/guides/forgetting.md)."
        )


def _confirmed(yes: bool, question: str, declined: str) -> bool:
    """Whether the user agrees, now or with --yes. Raises EarshotError without a terminal to ask on."""
    if yes:
        return True
    if not _is_interactive():
        raise EarshotError(f"{declined} There is no terminal to ask on: {question}", "To agree, add --yes.")
    agreed = click.confirm(question)
    if not agreed:
        click.echo(declined)
    return agreed


def _is_interactive() -> bool:
    return sys.stdin.isatty()


def _vectors(summary: "ForgetSummary") -> str:
    where = f"{pluralize(summary.speakers, 'speaker')} in {pluralize(summary.videos, 'video')}"
    return f"{where}, vectors of {pluralize(summary.turns, 'turn')}"
