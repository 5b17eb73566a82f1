"""`earshot people calibrate`: compute, print, plot and accept a voice threshold for this library."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from earshot import open_library
from earshot.cli.output import json_option, print_json, print_table
from earshot.common.text import pluralize
from earshot.library.work.timings import check_plot

if TYPE_CHECKING:
    from earshot.library.people.calibration import Calibration, Distribution, LibraryCalibration, PassingPair


def _rate(_context: click.Context, _option: click.Parameter, rate: float) -> float:
    if not 0.0 < rate < 0.5:  # also refuses NaN
        raise click.BadParameter(f"{rate:g} is not between 0 and 0.5; 0.01 is one false accept in a hundred.")
    return rate


@click.command("calibrate")
@click.option(
    "--false-accepts", "rate", type=float, default=0.01, callback=_rate, show_default=True,
    help="Share of pairs of different people that may pass as one person.",
)  # fmt: skip
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write a plot to this .png, .svg or .pdf file.")
@click.option("--accept", "accepted", is_flag=True, help="Use this threshold from now on, and identify all speakers again.")
@json_option
def calibrate_command(rate: float, plot: Path | None, accepted: bool, as_json: bool) -> None:
    """Compute the voice threshold from this library.

    The threshold is the cosine similarity from which two voices count as one person. It is computed from halves of one
    speaker, speakers of one video, and people named by corrections and enrolments, never from automatic decisions. See
    docs/guides/people.md.
    """
    if plot is not None:
        check_plot(plot)
    speakers = open_library().people.calibration()
    if speakers.data.other_spaces:
        click.echo(
            f"Left out: {pluralize(speakers.data.other_spaces, 'video')} with vectors of another model than "
            f"{speakers.space.model}. To recompute them: earshot backfill --stale voice_embeddings",
            err=True,
        )
    calibration = speakers.calibrate(rate)
    if plot is not None:
        speakers.plot(calibration, plot)
        click.echo(f"Plotted to {plot}.", err=True)
    identified = speakers.accept(calibration) if accepted else None
    if as_json:
        print_json(_document(speakers, calibration, accepted))
        return
    _print(speakers, calibration)
    if identified is not None:
        click.echo(
            f"Accepted. Identified {pluralize(identified.speakers, 'speaker')} again, of which {identified.written} changed: "
            f"{identified.by_profile} named by profile, {pluralize(identified.voices, 'anonymous voice')}."
        )


def _print(speakers: "LibraryCalibration", calibration: "Calibration") -> None:
    today = speakers.today
    headings = [("pairs of", "left"), ("number", "right"), ("1 %", "right"), ("median", "right"), ("99 %", "right")]
    headings += [(f"wrong at {calibration.threshold:.4f}", "right"), (f"wrong at {today.threshold:.4f}, today", "right")]
    print_table(headings, [_cells(kind) for kind in speakers.distributions(calibration.threshold)])
    for line in _summary(speakers, calibration):
        click.echo(line)


def _cells(pairs: "Distribution") -> tuple[str, ...]:
    kind = f"{'one person' if pairs.one_person else 'two people'}: {pairs.kind}"
    scores = [f"{score:.2f}" for score in pairs.percentiles] if pairs.percentiles else [""] * 3
    wrong = ["" if share is None else f"{share:.2%}" for share in (pairs.wrong, pairs.wrong_today)]
    return (kind, str(pairs.pairs), *scores, *wrong)


def _summary(speakers: "LibraryCalibration", calibration: "Calibration") -> list[str]:
    rejects = "unknown" if calibration.false_rejects is None else f"{calibration.false_rejects:.2%}"
    lines = [
        f"Threshold {calibration.threshold:.4f} (cosine similarity) for a false accept rate of {calibration.rate:.2%}. "
        f"On this library: false accepts {calibration.false_accepts:.2%}, false rejects {rejects}, from "
        f"{pluralize(calibration.two_people, 'pair')} of two people and {calibration.one_person} of one person"
        f"{'. A rough estimate: fewer than 30 false accepts' if calibration.low_confidence else ''}.",
        "There is no pair of one person, so false rejects and EER are unknown."
        if calibration.eer is None
        else f"Equal error rate {calibration.eer:.2%} at {calibration.eer_threshold:.4f}; optimistic, because halves of one "
        "speaker are from the same session.",
        f"Today's threshold is {speakers.today.threshold:.4f} ({speakers.today.source}).",
    ]
    if speakers.data.videos_read < speakers.data.videos:
        lines.append(f"Computed from a fixed sample of {speakers.data.videos_read} of {speakers.data.videos} videos.")
    return lines + _warnings(speakers.passing(calibration.threshold))


def _warnings(passing: "Sequence[PassingPair]") -> list[str]:
    return [
        f"Check whether these are really two people (cosine {pair.score:.2f}): {pair.first.recording} {pair.first.name}, "
        f"{pair.second.recording} {pair.second.name}"
        for pair in passing
    ]


def _document(speakers: "LibraryCalibration", calibration: "Calibration", accepted: bool) -> dict[str, Any]:
    passing = speakers.passing(calibration.threshold)
    return {
        **speakers.space.columns,
        "score": "cosine similarity",
        **asdict(calibration),
        "today": asdict(speakers.today),
        "pairs": [asdict(kind) for kind in speakers.distributions(calibration.threshold)],
        "passing": [
            {"score": pair.score, "speakers": [[one.recording, one.name] for one in (pair.first, pair.second)]}
            for pair in passing
        ],
        "videos": speakers.data.videos,
        "videos_read": speakers.data.videos_read,
        "videos_of_another_model": speakers.data.other_spaces,
        "accepted": accepted,
    }
