"""`earshot evaluate`: compare transcripts with references, and print the errors, per video and in all."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from earshot import open_library
from earshot.cli.output import json_option, print_json, print_table
from earshot.common.atomic_files import atomic_file
from earshot.common.text import percent, pluralize
from earshot.common.times import format_exact

if TYPE_CHECKING:
    from earshot import Evaluation

MAX_ERRORS = 20  # of one video, printed as text


@click.command("evaluate")
@click.argument("references", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="REFERENCES...")
@click.option("--video", metavar="VIDEO", help="The video (key or title) of a single reference.")
@click.option(
    "--collar", type=click.FloatRange(0.0, 60.0), default=0.0, show_default=True, metavar="SECONDS",
    help="DER: seconds on each side of a border that do not count.",
)  # fmt: skip
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page to this file.")
@json_option
def evaluate_command(references: tuple[Path, ...], video: str | None, collar: float, page: Path | None, as_json: bool) -> None:
    """Compare transcripts with references, and list the errors.

    REFERENCES are files or folders: .stm, .rttm, .srt, .vtt, .txt, .seglst.json. Each belongs to the video whose key, title or
    file name is the reference's name. Rates are in percent.
    """
    evaluation = open_library().evaluate(*references, video=video, collar_s=collar)
    if page is not None:
        with atomic_file(page) as file:
            file.write(evaluation.html())
        click.echo(f"Written to {page}.", err=True)
    if as_json:
        print_json(evaluation.document())
    else:
        _print(evaluation)


def _print(evaluation: "Evaluation") -> None:
    _print_words(evaluation)
    _print_speakers(evaluation)
    _print_people(evaluation)
    _print_errors(evaluation)


def _print_words(evaluation: "Evaluation") -> None:
    """A row of word errors for each video that has words, and one for all."""
    if evaluation.total.words is None:
        return
    every = [(video.title, video.scores) for video in evaluation.videos if video.scores.words]
    rows = []
    for title, scores in (*every, ("all", evaluation.total)):
        words, apart = scores.words, scores.speaker_words
        assert words is not None
        counts = (words.words, words.substitutions, words.deletions, words.insertions)
        rates = (words.rate, *((apart.rate, apart.wrong_share) if apart else (None, None)))
        rows.append([title, *map(str, counts), *map(percent, rates)])
    headings = ["words", "subst.", "deleted", "inserted", "WER %", "cpWER %", "wrong person %"]
    print_table([("video", "left"), *((text, "right") for text in headings)], rows, last_apart=True)


def _print_speakers(evaluation: "Evaluation") -> None:
    """A row of seconds for each video whose speakers are known, and one for all."""
    if evaluation.total.speakers is None:
        return
    click.echo()
    every = [(video.title, video.scores.speakers) for video in evaluation.videos if video.scores.speakers]
    rows = [
        [title, *(f"{seconds:.1f}" for seconds in vars(speakers).values()), percent(speakers.rate)]
        for title, speakers in (*every, ("all", evaluation.total.speakers))
    ]
    headings = ["speech s", "missed s", "false alarm s", "confusion s", "DER %"]
    print_table([("video", "left"), *((text, "right") for text in headings)], rows, last_apart=True)


def _print_people(evaluation: "Evaluation") -> None:
    found = evaluation.identities
    if found is None:
        return
    click.echo(
        f"\nOne person in two videos: joined {found.joined_pairs} of {pluralize(found.recurring_pairs, 'pair')}. "
        f"Two people: under one identity {found.merged_pairs} of {pluralize(found.different_pairs, 'pair')}. "
        f"Not identified: {found.unidentified} of {pluralize(found.appearances, 'appearance')}."
    )
    for person, several in found.split.items():
        click.echo(f"{person} is under several identities: {', '.join(each or 'not identified' for each in several)}.")
    for identity, people in found.merged.items():
        click.echo(f"Several people are under {identity}: {', '.join(people)}.")


def _print_errors(evaluation: "Evaluation") -> None:
    """The first word errors of each video."""
    for video in evaluation.videos:
        if video.errors:
            click.echo(f"\n{video.title}: {pluralize(len(video.errors), 'word error')}")
        for error in video.errors[:MAX_ERRORS]:
            click.echo(f"  {format_exact(error.at_s)}  {error.kind:<12}  {_change(error.said, error.written)}")
        if video.errors[MAX_ERRORS:]:
            click.echo(f"  {len(video.errors) - MAX_ERRORS} more; --json and --html list them all.")


def _change(said: str, written: str) -> str:
    return f"{said} -> {written}" if said and written else said or written
