"""`earshot people calibrate`: the threshold that this library's own voices ask for, shown, plotted and accepted."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from earshot.cli.output import json_option, print_json, print_table
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
    if not 0.0 < rate < 0.5:  # which NaN is not either
        raise click.BadParameter(f"{rate:g} is not a rate above 0 and below 0.5; 0.01 is one false accept in a hundred.")
    return rate


@click.command("calibrate")
@click.option(
    "--false-accepts", "rate", type=float, default=0.01, callback=_rate, show_default=True,
    help="Of pairs of two people, the share that may pass for one.",
)  # fmt: skip
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture: .png, .svg or .pdf.")
@click.option("--accept", "accepted", is_flag=True, help="From now on use this threshold; everybody is decided anew.")
@json_option
def calibrate_command(rate: float, plot: Path | None, accepted: bool, as_json: bool) -> None:
    """Compute from this library from which cosine similarity on two voices are one person.

    Compared are halves of one speaker, speakers of one video, and whom corrections and enrolments name; never what the machine
    decided itself. docs/guides/people.md says more.
    """
    from earshot.speakers.people.calibration_data import accept_calibration, read_calibration_data
    from earshot.speakers.voices.calibration import calibrate, pairs_of

    if plot is not None:
        _check_plot(plot)
    settings, database = read_settings(), open_database()
    space, today = voice_space(settings), thresholds(database, settings)
    material = read_calibration_data(database, space)
    if material.other_spaces:
        click.echo(_left_out(material.other_spaces, space.model), err=True)
    pairs = pairs_of(material.speakers)
    found = calibrate(pairs, rate)
    if plot is not None:
        _plot(pairs, found, today.threshold, plot)
    identified = accept_calibration(database, space, found) if accepted else None
    if as_json:
        print_json(_document(material, pairs, found, today, space.columns, identified))
        return
    _print(material, pairs, found, today)
    if identified is not None:
        click.echo(
            f"Accepted. Decided anew: {identified.speakers} speakers, {identified.by_profile} named by profile, "
            f"{identified.voices} anonymous voices; {identified.written} changed."
        )


def _left_out(videos: int, model: str) -> str:
    return (
        f"{videos} video{'s have' if videos > 1 else ' has'} vectors of another model than {model}, or prepared otherwise; "
        "left out, since scores of two models are never compared: run voice_embeddings for them again (a backfill in the UI)."
    )


def _check_plot(path: Path) -> None:
    from earshot.timings.plots import check_suffix  # matplotlib: a second

    check_suffix(path)


def _plot(pairs: "pd.DataFrame", found: "Calibration", today: float, path: Path) -> None:
    from earshot.speakers.people.calibration_plot import draw
    from earshot.timings.plots import save

    save(draw(pairs, found, today), path)
    click.echo(f"Plotted to {path}.", err=True)


def _print(material: "CalibrationData", pairs: "pd.DataFrame", found: "Calibration", today: Thresholds) -> None:
    headings = [("pairs of", "left"), ("number", "right"), ("1 %", "right"), ("median", "right"), ("99 %", "right")]
    headings += [(f"wrong at {found.threshold:.4f}", "right"), (f"wrong at {today.threshold:.4f}, today", "right")]
    print_table(headings, [_cells(row) for row in distributions(pairs, found.threshold, today.threshold)])
    for line in _told(material, pairs, found, today):
        click.echo(line)


def distributions(pairs: "pd.DataFrame", threshold: float, today: float) -> list[dict[str, Any]]:
    """A row for each kind of pairs: its number, percentiles of its scores, the share that each threshold gets wrong."""
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
    who = f"{'one person' if row['one_person'] else 'two people'}: {row['kind']}"
    scores = [f"{score:.2f}" for score in row["percentiles"]] if row["percentiles"] else [""] * 3
    wrong = ["" if share is None else f"{share:.2%}" for share in (row["wrong"], row["wrong_today"])]
    return (who, str(row["pairs"]), *scores, *wrong)


def _told(material: "CalibrationData", pairs: "pd.DataFrame", found: "Calibration", today: Thresholds) -> list[str]:
    from earshot.speakers.voices.calibration import nearest

    rejects = "not known" if found.false_rejects is None else f"{found.false_rejects:.2%}"
    lines = [
        f"Threshold {found.threshold:.4f} (cosine similarity) for false accepts of {found.rate:.2%}: {found.false_accepts:.2%} "
        f"found, false rejects {rejects}. It rests on {found.two_people} pairs of two people and {found.one_person} of one"
        f"{', and is rough: fewer than 30 false accepts' if found.low_confidence else ''}.",
        "No pair of one person: false rejects and EER are not known."
        if found.eer is None
        else f"Equal error rate {found.eer:.2%} at {found.eer_threshold:.4f}. Halves are of one session: optimistic.",
        f"Today's threshold is {today.threshold:.4f} ({today.source}).",
    ]
    if material.videos_read < material.videos:
        lines.append(f"Read were {material.videos_read} of {material.videos} videos, a fixed sample.")
    lines += [_passing(material, row) for row in nearest(pairs, found.threshold).to_dict("records")]
    return lines


def _passing(material: "CalibrationData", row: dict[Any, Any]) -> str:
    first, second = material.speakers[row["first"]], material.speakers[row["second"]]
    return (
        f"Counted as two people, but alike ({row['score']:.2f}); are they? {first.recording} {first.name}, "
        f"{second.recording} {second.name}"
    )


def _document(
    material: "CalibrationData",
    pairs: "pd.DataFrame",
    found: "Calibration",
    today: Thresholds,
    space: dict[str, str],
    identified: "Identified | None",
) -> dict[str, Any]:
    from earshot.speakers.voices.calibration import nearest

    return {
        **space,
        "score": "cosine similarity",
        **asdict(found),
        "today": asdict(today),
        "pairs": distributions(pairs, found.threshold, today.threshold),
        "passing": [
            {
                "score": row["score"],
                "speakers": [
                    [material.speakers[place].recording, material.speakers[place].name]
                    for place in (row["first"], row["second"])
                ],
            }
            for row in nearest(pairs, found.threshold).to_dict("records")
        ],
        "videos": material.videos,
        "videos_read": material.videos_read,
        "videos_of_another_model": material.other_spaces,
        "accepted": identified is not None,
    }
