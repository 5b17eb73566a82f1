"""`earshot people calibrate`: compute, print, plot and accept a voice threshold for this library."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from earshot.cli.output import json_option, print_json, print_table
from earshot.common.text import pluralize
from earshot.config.settings import read_settings
from earshot.models.registry import Thresholds
from earshot.speakers.tables.voice_space import thresholds, voice_space
from earshot.storage.database import open_database

if TYPE_CHECKING:
    import pandas as pd

    from earshot.speakers.people.calibration_data import CalibrationData
    from earshot.speakers.people.identify import Identified
    from earshot.speakers.voices.calibration import Calibration


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
    from earshot.speakers.people.calibration_data import accept_calibration, read_calibration_data
    from earshot.speakers.voices.calibration import calibrate, pairs_of

    if plot is not None:
        _check_plot(plot)
    settings, database = read_settings(), open_database()
    space, today = voice_space(settings), thresholds(database, settings)
    data = read_calibration_data(database, space)
    if data.other_spaces:
        click.echo(
            f"Left out: {pluralize(data.other_spaces, 'video')} with vectors of another model than {space.model}. "
            "To recompute them: earshot backfill --stale voice_embeddings",
            err=True,
        )
    pairs = pairs_of(data.speakers)
    calibration = calibrate(pairs, rate)
    if plot is not None:
        _plot(pairs, calibration, today.threshold, plot)
    identified = accept_calibration(database, space, calibration) if accepted else None
    if as_json:
        print_json(_document(data, pairs, calibration, today, space.columns, identified))
        return
    _print(data, pairs, calibration, today)
    if identified is not None:
        click.echo(
            f"Accepted. Identified {pluralize(identified.speakers, 'speaker')} again, of which {identified.written} changed: "
            f"{identified.by_profile} named by profile, {pluralize(identified.voices, 'anonymous voice')}."
        )


def _check_plot(path: Path) -> None:
    from earshot.timings.plots import check_suffix  # matplotlib: a second

    check_suffix(path)


def _plot(pairs: "pd.DataFrame", calibration: "Calibration", today: float, path: Path) -> None:
    from earshot.speakers.people.calibration_plot import draw
    from earshot.timings.plots import save

    save(draw(pairs, calibration, today), path)
    click.echo(f"Plotted to {path}.", err=True)


def _print(data: "CalibrationData", pairs: "pd.DataFrame", calibration: "Calibration", today: Thresholds) -> None:
    headings = [("pairs of", "left"), ("number", "right"), ("1 %", "right"), ("median", "right"), ("99 %", "right")]
    headings += [(f"wrong at {calibration.threshold:.4f}", "right"), (f"wrong at {today.threshold:.4f}, today", "right")]
    print_table(headings, [_cells(row) for row in distributions(pairs, calibration.threshold, today.threshold)])
    for line in _summary(data, pairs, calibration, today):
        click.echo(line)


def distributions(pairs: "pd.DataFrame", threshold: float, today: float) -> list[dict[str, Any]]:
    """One row per kind of pair: the number of pairs, percentiles of their scores, and the error rate of each threshold."""
    from earshot.speakers.voices.calibration import ONE_PERSON, TWO_PEOPLE, false_accepts, false_rejects, scores_of

    rows = []
    for kind in (*ONE_PERSON, *TWO_PEOPLE):
        scores = scores_of(pairs, [kind])
        wrong = false_rejects if kind in ONE_PERSON else false_accepts
        rows.append(
            {
                "one_person": kind in ONE_PERSON,
                "kind": kind,
                "pairs": len(scores),
                "percentiles": np.percentile(scores, [1, 50, 99]).tolist() if len(scores) else None,
                "wrong": wrong(scores, threshold) if len(scores) else None,
                "wrong_today": wrong(scores, today) if len(scores) else None,
            }
        )
    return rows


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    kind = f"{'one person' if row['one_person'] else 'two people'}: {row['kind']}"
    scores = [f"{score:.2f}" for score in row["percentiles"]] if row["percentiles"] else [""] * 3
    wrong = ["" if share is None else f"{share:.2%}" for share in (row["wrong"], row["wrong_today"])]
    return (kind, str(row["pairs"]), *scores, *wrong)


def _summary(data: "CalibrationData", pairs: "pd.DataFrame", calibration: "Calibration", today: Thresholds) -> list[str]:
    from earshot.speakers.voices.calibration import nearest

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
        f"Today's threshold is {today.threshold:.4f} ({today.source}).",
    ]
    if data.videos_read < data.videos:
        lines.append(f"Computed from a fixed sample of {data.videos_read} of {data.videos} videos.")
    lines += [_passing(data, row) for row in nearest(pairs, calibration.threshold).to_dict("records")]
    return lines


def _passing(data: "CalibrationData", row: dict[Any, Any]) -> str:
    first, second = data.speakers[row["first"]], data.speakers[row["second"]]
    return (
        f"Check whether these are really two people (cosine {row['score']:.2f}): {first.recording} {first.name}, "
        f"{second.recording} {second.name}"
    )


def _document(
    data: "CalibrationData",
    pairs: "pd.DataFrame",
    calibration: "Calibration",
    today: Thresholds,
    space: dict[str, str],
    identified: "Identified | None",
) -> dict[str, Any]:
    from earshot.speakers.voices.calibration import nearest

    return {
        **space,
        "score": "cosine similarity",
        **asdict(calibration),
        "today": asdict(today),
        "pairs": distributions(pairs, calibration.threshold, today.threshold),
        "passing": [
            {
                "score": row["score"],
                "speakers": [
                    [data.speakers[index].recording, data.speakers[index].name] for index in (row["first"], row["second"])
                ],
            }
            for row in nearest(pairs, calibration.threshold).to_dict("records")
        ],
        "videos": data.videos,
        "videos_read": data.videos_read,
        "videos_of_another_model": data.other_spaces,
        "accepted": identified is not None,
    }
