"""`earshot people list`, `show`, `rename`, `merge`, `remove` and `forget`: thin layers over `Library.people`."""

from collections.abc import Sequence
from dataclasses import asdict
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from earshot import open_library
from earshot.cli.confirming import confirmed
from earshot.cli.output import json_option, print_json, print_table
from earshot.cli.people.correct import print_change
from earshot.common.text import one_line, pluralize
from earshot.common.times import format_hms, tenths
from earshot.config.people_file import read_people
from earshot.config.settings import read_settings

if TYPE_CHECKING:
    from earshot import Appearance, Enrolment, ForgetSummary, KnownSpeaker, SpeakerDetails

MOST_SHOWN = 240  # characters of an excerpt: enough to recognize who speaks


@click.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List people and anonymous voices.

    Shows in how many videos each speaks, for how long, and how that was decided; those with most videos first. An error in
    people.yaml is printed last; until it is corrected, no speaker is identified.
    """
    people = open_library().people
    speakers, others = people.list(), people.count_incomparable()
    if as_json:
        print_json([_as_json(speaker) for speaker in speakers])
    elif not speakers:
        click.echo("No people or voices yet. Start with: earshot ingest SOURCE")
    else:
        headings = [("who", "left"), ("videos", "right"), ("speech", "right"), ("enrolled", "right"), ("enrolments", "left")]
        unknown = speakers[-1].kind == "unknown"
        print_table([*headings, ("decided by", "left")], [_cells(speaker) for speaker in speakers], last_apart=unknown)
    if others:
        click.echo(
            f"Not compared: {pluralize(others, 'video')} with vectors of another model than {people.voice_model}. "
            "To recompute them: earshot backfill --stale voice_embeddings",
            err=True,
        )
    read_people(read_settings().people)


def _as_json(speaker: "KnownSpeaker") -> dict[str, Any]:
    """The fields; only the unknown have reasons."""
    return {key: value for key, value in asdict(speaker).items() if key != "reasons" or speaker.kind == "unknown"}


def _cells(speaker: "KnownSpeaker") -> tuple[str, ...]:
    return (
        speaker.name,
        str(speaker.videos or ""),
        format_hms(speaker.speech_s) if speaker.speakers else "",
        format_hms(speaker.enrolled_s) if speaker.enrolled_s else "",
        ", ".join(f"{count} {verdict}" for verdict, count in speaker.enrolments.items()),
        ", ".join(_decisions(speaker)),
    )


def _decisions(speaker: "KnownSpeaker") -> list[str]:
    """What the decisions were based on; for the unknown, why there was none."""
    if speaker.kind == "unknown":
        return [f"{count} {kind}" for kind, count in speaker.reasons.items()]
    moments = [f"single turns in {pluralize(speaker.moments, 'video')} by correction"] * bool(speaker.moments)
    return [f"{count} by {basis}" for basis, count in speaker.decided_by.items()] + moments


@click.command("show")
@click.argument("who", nargs=-1, required=True)
@json_option
def show_command(who: tuple[str, ...], as_json: bool) -> None:
    """Show where a person or voice speaks, and why.

    WHO is a name or an anonymous voice, such as "voice 7". Also lists the recordings and corrections of a person.
    """
    shown = open_library().people.show(" ".join(who))
    if as_json:
        corrections = [{"number": each.number, "kind": each.kind, "told": each.description} for each in shown.corrections]
        print_json(asdict(shown) | {"corrections": corrections})
        return
    click.echo(f"{shown.name}{': ' if shown.notes else ''}{shown.notes}")
    if shown.speaks:
        _print_appearances(shown.speaks, shown.score)
    elif not shown.moments:
        click.echo("Speaks in no video of the library.")
    _print_excerpts(shown)
    for enrolment in shown.enrolments:
        click.echo(_enrolment(enrolment))
    for correction in shown.corrections:
        click.echo(f"Correction {correction.description}")


def _print_appearances(places: "Sequence[Appearance]", score: str) -> None:
    click.echo(f"Scores: {score}.")
    headings = [("video", "left"), ("title", "left"), ("speaker", "left"), ("speech", "right"), ("score", "right")]
    headings += [("margin", "right"), ("decided by", "left")]
    cells = [
        (
            place.video_id, place.title, place.local_speaker, format_hms(place.speech_s), _figure(place.score),
            _figure(place.margin), place.decided_by,
        )
        for place in places
    ]  # fmt: skip
    print_table(headings, cells)


def _print_excerpts(shown: "SpeakerDetails") -> None:
    """An excerpt from each video, and the single turns that corrections give to the person."""
    for place in shown.speaks:
        if place.excerpt:
            _print_line(place.title, place.excerpt.start_s, place.excerpt.text, place.excerpt.link)
        else:
            _print_line(place.title, place.first_s or 0.0, "(no words)", place.link)
    if shown.moments:
        click.echo("Single turns, by correction:")
    for moment in shown.moments:
        _print_line(moment.title, moment.start_s, moment.text or "(no words)", moment.link)


def _print_line(title: str, start_s: float, text: str, link: str) -> None:
    click.echo(f"{one_line(title)}  [{format_hms(start_s)}] {shorten(text, MOST_SHOWN, placeholder=' ...')}\n   {link}")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _enrolment(enrolment: "Enrolment") -> str:
    until = "the end" if enrolment.end_s is None else format_hms(enrolment.end_s)
    verdict = enrolment.verdict or "not judged yet"
    if enrolment.clean_s is not None:
        verdict += f", {tenths(enrolment.clean_s)} s of clean speech"
    reasons = f" ({enrolment.reasons})" if enrolment.reasons else ""
    return (
        f"Enrolled from {enrolment.kind} {enrolment.recording}, {format_hms(enrolment.start_s)} to {until}: {verdict}{reasons}"
    )


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

    OTHER takes over the enrolments, corrections and notes of ONE; the name ONE is deleted. To undo it:
    `earshot people correct --undo NUMBER`.
    """
    people = open_library().people
    gone, stays = people.named(one), people.named(other)
    question = f"Merge {gone} ({people.traces(gone)}) into {stays}?"
    if confirmed(yes, question, "Nothing was merged."):
        print_change(people.merge(gone, stays))


@click.command("remove")
@click.argument("name", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def remove_command(name: tuple[str, ...], yes: bool) -> None:
    """Remove a person, with their recordings and corrections.

    Where they speak, they become an anonymous voice again. This cannot be undone. The vectors of their voice in videos stay;
    `earshot people forget` deletes those, too.
    """
    people = open_library().people
    person = people.named(" ".join(name))
    people.require_unlisted(person)
    question = f"Remove {person} ({people.traces(person)})? This cannot be undone."
    if confirmed(yes, question, "Nothing was removed."):
        print_change(people.remove(person))


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
    if confirmed(yes, question, "Nothing was forgotten."):
        deleted = people.forget(traces.name)
        click.echo(
            f"Forgotten: {_vectors(deleted)}, {deleted}. Audio, transcripts, backups and the write-ahead log were not changed "
            "(docs/guides/forgetting.md)."
        )


def _vectors(summary: "ForgetSummary") -> str:
    where = f"{pluralize(summary.speakers, 'speaker')} in {pluralize(summary.videos, 'video')}"
    return f"{where}, vectors of {pluralize(summary.turns, 'turn')}"
