"""Previews of what was said and by whom, as Markdown short enough to be shown in place. Pure functions over frames.

Speakers have their labels within the video, never names: Dagster keeps metadata for ever, and a person must be forgettable.
"""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from earshot.common.redaction import without_secrets
from earshot.common.text import one_line
from earshot.common.times import format_hms, link_at
from earshot.sources.media.pictures import INLINE_CHARACTERS, Colour, indexed_png, markdown_image

MOST_LINES, LETTERS = 6, 720  # of all lines together
MOST_SPEAKERS = 8  # further ones are not drawn
WIDTH, BAR, GAP = 480, 9, 3  # pixels
# Distinguishable with colour blindness (Okabe and Ito); the last speaker is grey.
COLOURS: tuple[Colour, ...] = (
    (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), (0x00, 0x9E, 0x73), (0xCC, 0x79, 0xA7), (0x56, 0xB4, 0xE9), (0xD5, 0x5E, 0x00),
    (0xB8, 0xA9, 0x00), (0x80, 0x80, 0x80),
)  # fmt: skip


def excerpt(spoken: pd.DataFrame, url: str) -> str:
    """The first rows (start_s, text, and local_speaker if there is one), each with a link to its time in the recording."""
    if spoken.empty:
        return "Nothing was said."
    shown, end = spoken.head(MOST_LINES), f"({len(spoken)} in total)"
    long, short = (_within_limit(_lines(shown, url, LETTERS // lines), end) for lines in (len(shown), MOST_LINES))
    return long if long.count("\n") >= short.count("\n") else short


def _lines(spoken: pd.DataFrame, url: str, letters: int) -> Iterator[str]:
    """The rows as a list; of each text, at most so many letters."""
    linked = url.startswith(("http://", "https://")) and without_secrets(url) == url
    speakers = spoken.local_speaker.tolist() if "local_speaker" in spoken else [None] * len(spoken)
    for start_s, speaker, text in zip(spoken.start_s.tolist(), speakers, spoken.text.tolist(), strict=True):
        time = f"[{format_hms(start_s)}](<{link_at(url, start_s)}>)" if linked else format_hms(start_s)
        who = f" **{_escaped(str(speaker))}**" if isinstance(speaker, str) else ""
        yield f"- {time}{who} {_escaped(_shortened(one_line(text), letters))}"


def _shortened(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[:letters].rsplit(" ", 1)[0] + " …"


def _escaped(text: str) -> str:
    """The text without a meaning in Markdown."""
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", text)


def _within_limit(lines: Iterator[str], end: str) -> str:
    """As many of the lines as can be shown in place, then `end`."""
    kept = ""
    for line in lines:
        if len(f"{kept}{line}\n\n{end}".encode("utf-16-le")) // 2 >= INLINE_CHARACTERS:
            break
        kept += f"{line}\n"
    return f"{kept}\n{end}"


def speech_by_speaker(turns: pd.DataFrame) -> pd.Series:
    """Seconds of speech by local speaker, most first."""
    return (turns.end_s - turns.start_s).groupby(turns.local_speaker).sum().sort_values(ascending=False, kind="stable")


def speakers_excerpt(turns: pd.DataFrame) -> str:
    """How much each speaker speaks, most first."""
    if turns.empty:
        return "No one was heard."
    speech = speech_by_speaker(turns)
    lines = (
        f"- **{_escaped(str(speaker))}** {format_hms(seconds)}, {seconds / speech.sum():.0%} of the speech"
        for speaker, seconds in speech.head(MOST_SPEAKERS).items()
    )
    return _within_limit(lines, f"({len(speech)} in total, {len(turns)} turns)")


def turns_picture(turns: pd.DataFrame, duration_s: float) -> str:
    """Who speaks when: a row for each speaker in the order of `speakers_excerpt()`, from the start to the end of the recording.

    The more there is to draw, the coarser the picture, so that it can be shown in place.
    """
    speakers = speech_by_speaker(turns).index[:MOST_SPEAKERS]
    for step in (1, 2, 4, 8):
        rows = [_row(turns[turns.local_speaker == speaker], duration_s, WIDTH // step) for speaker in speakers]
        picture = markdown_image("Who speaks when", indexed_png(_bars(rows, step), COLOURS))
        if len(picture) < INLINE_CHARACTERS:
            break
    return picture


def _row(turns: pd.DataFrame, duration_s: float, width: int) -> np.ndarray:
    """Whether the speaker speaks within each of `width` parts of the recording."""
    scale = width / max(duration_s, 1e-9)
    first = np.clip((turns.start_s.to_numpy(dtype=float) * scale).astype(int), 0, width - 1)
    last = np.clip(np.ceil(turns.end_s.to_numpy(dtype=float) * scale).astype(int), first + 1, width)
    depth = np.zeros(width + 1, dtype=int)
    np.add.at(depth, first, 1)
    np.add.at(depth, last, -1)
    return np.cumsum(depth[:width]) > 0


def _bars(rows: list[np.ndarray], step: int) -> np.ndarray:
    """The pixels of the rows, each in its colour, with a line of silence below."""
    if not rows:
        return np.zeros((BAR, WIDTH), dtype=np.uint8)
    drawn = [np.repeat(row, step).astype(np.uint8) * (index + 1) for index, row in enumerate(rows)]
    return np.concatenate([np.pad(np.tile(row, (BAR, 1)), ((0, GAP), (0, 0))) for row in drawn])
