"""`earshot people enrol`: judge recordings of people, and keep those that are good enough."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from earshot import open_library
from earshot.cli.output import json_option, print_json
from earshot.common.errors import EarshotError
from earshot.common.excerpt import FILE, TIME_PATTERN, VIDEO, Excerpt, parse_span
from earshot.common.text import pluralize
from earshot.common.times import tenths
from earshot.config.settings import read_settings

if TYPE_CHECKING:
    from earshot.library.people.enrolment import AssessedExcerpt, Assessment, NameUsage, PersonEnrolment, Quality


class Span(click.ParamType):
    """START-END, converted to seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        try:
            return parse_span(value)
        except ValueError:
            self.fail(
                f"{value!r} is not START-END (each {TIME_PATTERN}, START before END), such as 90-120 or 1:30-2:00.", param, ctx
            )


@click.command("enrol")
@click.argument("name", nargs=-1)
@click.option("--file", type=click.Path(path_type=Path), help="A recording of this person.")
@click.option("--video", metavar="VIDEO", help="A video of the library in which this person speaks; needs --span.")
@click.option("--span", "spans", type=Span(), multiple=True, metavar="START-END", help="Only this part: 90-120 or 1:30-2:00.")
@click.option("--notes", default="", help="A note to keep with the name.")
@json_option
def enrol_command(
    name: tuple[str, ...],
    file: Path | None,
    video: str | None,
    spans: tuple[tuple[float, float], ...],
    notes: str,
    as_json: bool,
) -> None:
    """Enrol a person from a recording of their voice.

    Takes NAME to be the speaker who speaks longest, and prints the quality of the recording. A known person gets one more
    recording. Each --span is judged separately; a refused recording is not kept, and makes the exit code 1. Without NAME,
    judges the new recordings in people.yaml.
    """
    if not name:
        if file or video or spans or notes:
            raise click.UsageError("Name the person: earshot people enrol NAME --file FILE.")
        sys.exit(_enrol_listed(as_json))
    checked, excerpts = _checked(" ".join(name)), _excerpts(file, video, spans)
    sys.exit(_enrol(checked, excerpts, notes, as_json))


def _checked(name: str) -> str:
    from earshot.library.people.enrolment import checked_name

    try:
        return checked_name(name)
    except EarshotError as error:
        hint = 'To name an anonymous voice: earshot people correct "voice 7" --is NAME'
        raise click.UsageError(f"{error} {hint}") from error


def _excerpts(file: Path | None, video: str | None, spans: Sequence[tuple[float, float]]) -> list[Excerpt]:
    if (file is None) == (video is None):
        raise click.UsageError("Name a recording: either --file FILE, or --video VIDEO with --span START-END.")
    if video is not None and not spans:
        raise click.UsageError("--video needs the time at which this person speaks: --span START-END.")
    kind, recording = (FILE, str(file.expanduser().resolve())) if file is not None else (VIDEO, str(video))
    chosen = sorted(dict.fromkeys(spans))
    if any(start < end for (_, end), (start, _) in pairwise(chosen)):
        raise click.UsageError("Two of the spans overlap.")
    return [Excerpt(kind, recording, start, end) for start, end in chosen] or [Excerpt(kind, recording)]


# --- one person ------------------------------------------------------------------------------------------------------------


def _enrol(name: str, excerpts: Sequence[Excerpt], notes: str, as_json: bool) -> int:
    enrolment = open_library().people.enrolment(name)
    if notes and enrolment.person is not None and enrolment.person.listed:
        raise click.UsageError(f"The notes on {enrolment.person.name} are in {read_settings().people}; change them there.")
    assessed, before = enrolment.assess(excerpts), enrolment.usage
    if not as_json:
        _print_assessed(enrolment, name, assessed)
    kept = enrolment.keep(notes)
    if as_json:
        print_json(_enrolled_json(enrolment, name, assessed, before))
    else:
        click.echo(_outcome(len(kept), len(assessed), before, enrolment.usage))
    return 0 if len(kept) == len(assessed) else 1


def _print_assessed(enrolment: "PersonEnrolment", name: str, assessed: "Iterable[AssessedExcerpt]") -> None:
    same_voice = f"the same voice has {enrolment.threshold:.2f} or more"
    for recording in assessed:
        _print_quality(recording.excerpt, recording.quality)
        for other in recording.similar:
            click.echo(
                f"  warning       it sounds like {enrolment.names[other.person_id]} (cosine {other.cosine:.2f}; {same_voice}), "
                "so the two may be confused. If they are one person, enrol it under that name."
            )
        if recording.own_cosine is not None and recording.own_cosine < enrolment.threshold:
            click.echo(
                f"  warning       it does not sound like {name}'s earlier recordings (cosine {recording.own_cosine:.2f}; "
                f"{same_voice}). Another person with this name needs a different one."
            )


def _print_quality(excerpt: Excerpt, quality: "Quality") -> None:
    spread = "only one sample" if quality.spread is None else f"{quality.spread:.2f} (lowest cosine of a sample to the mean)"
    click.echo(f"{excerpt.recording}, {excerpt.times}")
    click.echo(f"  clean speech  {tenths(quality.clean_s)} s")
    click.echo(f"  second voice  {quality.other_voice_s:.1f} s")
    click.echo(f"  spread        {spread}")
    click.echo(f"  verdict       {quality.verdict}{f': {quality.reasons}' if quality.reasons else ''}")


def _outcome(kept: int, assessed: int, before: "NameUsage", after: "NameUsage") -> str:
    if not kept:
        return "Refused: nothing was kept."
    head = "Enrolled." if kept == assessed else f"Enrolled {kept} of {assessed} recordings; refused ones are not kept."
    speakers, videos = pluralize(after.speakers, "speaker"), pluralize(after.videos, "video")
    change = "as before" if before == after else f"before: {before.speakers} in {before.videos}"
    return f"{head} {speakers} in {videos} {'has' if after.speakers == 1 else 'have'} this name ({change})."


def _enrolled_json(
    enrolment: "PersonEnrolment", name: str, assessed: "Iterable[AssessedExcerpt]", before: "NameUsage"
) -> dict[str, Any]:
    rows = [
        {
            **asdict(recording.excerpt),
            **asdict(recording.quality),
            "near": [{"name": enrolment.names[other.person_id], "cosine": other.cosine} for other in recording.similar],
            "own_cosine": recording.own_cosine,
            "kept": not recording.quality.refused,
        }
        for recording in assessed
    ]
    person = enrolment.person
    of_person = {"name": person.name if person else name, "person_id": person.person_id if person else None}
    return {**of_person, "excerpts": rows, "named_before": asdict(before), "named": asdict(enrolment.usage)}


# --- people.yaml ---------------------------------------------------------------------------------------------------------


def _enrol_listed(as_json: bool) -> int:
    listed = open_library().people.enrol_listed()
    if as_json:
        alike = [{"names": [first, second], "cosine": cosine} for first, second, cosine in listed.alike]
        rows = [_assessment_json(name, assessment) for name, assessment in listed.judged]
        print_json({"excerpts": rows, "alike": alike})
    else:
        for name, assessment in listed.judged:
            _print_assessment(name, assessment)
        for first, second, cosine in listed.alike:
            click.echo(f"Warning: {first} and {second} sound alike (cosine {cosine:.2f}) and may be confused.")
        click.echo(_summary([assessment for _, assessment in listed.judged]))
    unusable = any(assessment.quality is None or assessment.quality.refused for _, assessment in listed.judged)
    return 1 if unusable else 0


def _print_assessment(name: str, assessment: "Assessment") -> None:
    click.echo(f"{name}: ", nl=False)
    if assessment.quality is not None:
        _print_quality(assessment.enrolment.excerpt, assessment.quality)
    else:
        click.echo(f"not used. {assessment.problem}")


def _assessment_json(name: str, assessment: "Assessment") -> dict[str, Any]:
    quality = asdict(assessment.quality) if assessment.quality else {"verdict": None}
    return {"name": name, **asdict(assessment.enrolment.excerpt), **quality, "problem": assessment.problem}


def _summary(assessments: "Sequence[Assessment]") -> str:
    verdicts = [assessment.quality.verdict if assessment.quality else "unreadable" for assessment in assessments]
    counts = {verdict: verdicts.count(verdict) for verdict in ("good", "fair", "refused", "unreadable")}
    if verdicts:
        return f"Judged recordings: {', '.join(f'{count} {verdict}' for verdict, count in counts.items() if count)}."
    file = read_settings().people
    return f"Every recording in {file} is already judged." if file.exists() else f"There is no file {file}."
