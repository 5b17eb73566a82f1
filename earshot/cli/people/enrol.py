"""`earshot people enrol`: recordings of people, judged before they are used."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from earshot.cli.output import json_option, print_json
from earshot.common.errors import EarshotError
from earshot.common.excerpt import FILE, TIME_PATTERN, VIDEO, Excerpt, parse_span
from earshot.common.text import pluralize
from earshot.config.settings import read_settings
from earshot.speakers.tables.people import Person, checked_name, find_person, names_of_people, sync_people
from earshot.speakers.tables.voice_space import thresholds
from earshot.speakers.voices.enrolment_quality import Quality
from earshot.storage.database import Database, open_database

if TYPE_CHECKING:
    from earshot.speakers.people.enrol import AssessedExcerpt, NameUsage
    from earshot.speakers.people.samples import Assessment


class Span(click.ParamType):
    """START-END, as seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        try:
            return parse_span(value)
        except ValueError:
            self.fail(
                f"{value!r} is not START-END, each {TIME_PATTERN}, the end after the start: 90-120 or 1:30-2:00.", param, ctx
            )


@click.command("enrol")
@click.argument("name", nargs=-1)
@click.option("--file", type=click.Path(path_type=Path), help="A recording of this person.")
@click.option("--video", metavar="VIDEO", help="A video of the library in which this person speaks; --span says when.")
@click.option("--span", "spans", type=Span(), multiple=True, metavar="START-END", help="A part of it, as 90-120 or 1:30-2:00.")
@click.option("--notes", default="", help="Whatever you want to be kept with the name.")
@json_option
def enrol_command(
    name: tuple[str, ...],
    file: Path | None,
    video: str | None,
    spans: tuple[tuple[float, float], ...],
    notes: str,
    as_json: bool,
) -> None:
    """Make NAME known by a recording: whoever speaks longest in it. Its quality is told before it is used.

    Of somebody who is known already it is one more recording. Each --span is judged for itself. What is refused is not
    used, and ends in exit code 1. Without NAME, the recordings in people.yaml are judged that were not yet.
    """
    if not name:
        if file or video or spans or notes:
            raise click.UsageError("Say whose recording it is: earshot people enrol NAME --file FILE.")
        sys.exit(_enrol_listed(as_json))
    called, excerpts = _checked(" ".join(name)), _excerpts(file, video, spans)
    sys.exit(_enrol(called, excerpts, notes, as_json))


def _checked(name: str) -> str:
    try:
        return checked_name(name)
    except EarshotError as error:
        hint = 'An anonymous voice is given a name by: earshot people correct "voice 7" --is NAME'
        raise click.UsageError(f"{error} {hint}") from error


def _excerpts(file: Path | None, video: str | None, spans: Sequence[tuple[float, float]]) -> list[Excerpt]:
    if (file is None) == (video is None):
        raise click.UsageError("Name a recording: either --file FILE, or --video VIDEO with --span START-END.")
    if video is not None and not spans:
        raise click.UsageError("Say when this person speaks in the video: --span START-END.")
    kind, recording = (FILE, str(file.expanduser().resolve())) if file is not None else (VIDEO, str(video))
    chosen = sorted(dict.fromkeys(spans))
    if any(start < end for (_, end), (start, _) in pairwise(chosen)):
        raise click.UsageError("Two of the spans overlap.")
    return [Excerpt(kind, recording, start, end) for start, end in chosen] or [Excerpt(kind, recording)]


# --- one person's ----------------------------------------------------------------------------------------------------------


def _enrol(name: str, excerpts: Sequence[Excerpt], notes: str, as_json: bool) -> int:
    from earshot.speakers.people.enrol import assess, count_usage, enrol
    from earshot.speakers.people.identify import identify

    database, settings = open_database(), read_settings()
    sync_people(database, settings)
    person = find_person(database, name)
    if notes and person is not None and person.listed:
        raise click.UsageError(f"The notes on {person.name} stand in {settings.people}: change them there.")
    examined, before = assess(database, name, excerpts), count_usage(database, person)
    if not as_json:
        _tell_examined(database, name, examined, thresholds(database, settings).threshold)
    kept = [each for each in examined if not each.quality.refused]
    if kept:
        person = enrol(database, name, notes, kept)
        identify(database)
    after = count_usage(database, person)
    if as_json:
        print_json(_enrolled_json(database, person.name if person else name, person, examined, before, after))
    else:
        click.echo(_outcome(len(kept), len(examined), before, after))
    return 0 if len(kept) == len(examined) else 1


def _tell_examined(database: Database, name: str, examined: "Iterable[AssessedExcerpt]", limit: float) -> None:
    names = names_of_people(database)
    as_one = f"one voice is {limit:.2f} or more"
    for each in examined:
        _tell(each.excerpt, each.quality)
        for near in each.near:
            click.echo(
                f"  warning       it sounds like {names[near.person_id]} (cosine {near.cosine:.2f}; {as_one}): the two may be "
                "taken for each other. If they are one person, enrol it for that name."
            )
        if each.own is not None and each.own < limit:
            click.echo(
                f"  warning       it does not sound like {name}'s recordings so far (cosine {each.own:.2f}; {as_one}): "
                "somebody else of that name needs another one."
            )


def _tell(excerpt: Excerpt, quality: Quality) -> None:
    from earshot.speakers.voices.enrolment_quality import tenths

    spread = "of one sample" if quality.spread is None else f"{quality.spread:.2f} (lowest cosine of a sample to their mean)"
    click.echo(f"{excerpt.recording}, {excerpt.times}")
    click.echo(f"  clean speech  {tenths(quality.clean_s)} s")
    click.echo(f"  second voice  {quality.other_voice_s:.1f} s")
    click.echo(f"  spread        {spread}")
    click.echo(f"  verdict       {quality.verdict}{f': {quality.reasons}' if quality.reasons else ''}")


def _outcome(kept: int, examined: int, before: "NameUsage", after: "NameUsage") -> str:
    if not kept:
        return "Refused: nothing was kept."
    head = "Enrolled." if kept == examined else f"Enrolled {kept} of {examined}; what was refused is not kept."
    speakers, videos = pluralize(after.speakers, "speaker"), pluralize(after.videos, "video")
    now = f"{speakers} in {videos} {'carries' if after.speakers == 1 else 'carry'} the name"
    was = "as before" if before == after else f"before: {before.speakers} in {before.videos}"
    return f"{head} {now} ({was})."


def _enrolled_json(
    database: Database,
    name: str,
    person: Person | None,
    examined: "Iterable[AssessedExcerpt]",
    before: "NameUsage",
    after: "NameUsage",
) -> dict[str, Any]:
    names = names_of_people(database)
    rows = [
        {
            **asdict(each.excerpt),
            **asdict(each.quality),
            "near": [{"name": names[near.person_id], "cosine": near.cosine} for near in each.near],
            "own_cosine": each.own,
            "kept": not each.quality.refused,
        }
        for each in examined
    ]
    told = {"name": name, "person_id": person.person_id if person else None}
    return {**told, "excerpts": rows, "named_before": asdict(before), "named": asdict(after)}


# --- those of people.yaml ------------------------------------------------------------------------------------------------


def _enrol_listed(as_json: bool) -> int:
    from earshot.speakers.people.enrol import enrol_listed, similar_people
    from earshot.speakers.people.identify import identify

    database = open_database()
    judgements = enrol_listed(database)
    names = names_of_people(database)
    if not as_json:
        for each in judgements:
            _tell_judged(names[each.enrolment.person_id], each)
    pairs = similar_people(database)
    identify(database)
    if as_json:
        near = [{"names": [one.name, other.name], "cosine": cosine} for one, other, cosine in pairs]
        rows = [_judged_json(names[each.enrolment.person_id], each) for each in judgements]
        print_json({"excerpts": rows, "alike": near})
    else:
        for one, other, cosine in pairs:
            click.echo(
                f"Warning: {one.name} and {other.name} sound alike (cosine {cosine:.2f}): they may be taken for each other."
            )
        click.echo(_summary(judgements))
    return 1 if any(each.quality is None or each.quality.refused for each in judgements) else 0


def _tell_judged(name: str, judgement: "Assessment") -> None:
    click.echo(f"{name}: ", nl=False)
    if judgement.quality is not None:
        _tell(judgement.enrolment.excerpt, judgement.quality)
    else:
        click.echo(f"not used. {judgement.problem}")


def _judged_json(name: str, judgement: "Assessment") -> dict[str, Any]:
    quality = asdict(judgement.quality) if judgement.quality else {"verdict": None}
    return {"name": name, **asdict(judgement.enrolment.excerpt), **quality, "problem": judgement.problem}


def _summary(judgements: "Sequence[Assessment]") -> str:
    verdicts = [each.quality.verdict if each.quality else "could not be read" for each in judgements]
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in ("good", "fair", "refused", "could not be read")]
    told = ", ".join(count for count in counts if not count.startswith("0 "))
    if told:
        return f"Recordings judged: {told}."
    file = read_settings().people
    return f"Nothing new in {file}: every recording is judged." if file.exists() else f"There is no file {file}."
