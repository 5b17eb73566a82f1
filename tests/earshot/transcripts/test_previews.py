"""Previews as Markdown: first passages, shares of the speakers, and who speaks when."""

import numpy as np
import pandas as pd
import pytest

from earshot.sources.media.pictures import INLINE_CHARACTERS
from earshot.transcripts.previews import BAR, COLOURS, GAP, WIDTH, excerpt, speakers_excerpt, turns_picture
from tests.support.pictures import pixels_of

URL = "https://www.youtube.com/watch?v=abc"
SPOKEN = pd.DataFrame(
    {
        "start_s": [1.5, 70.0, 75.0],
        "local_speaker": ["SPEAKER_00", None, "SPEAKER_01"],
        "text": ["Hello  you.", "Yes.", "No."],
    }
)
TURNS = pd.DataFrame({"start_s": [0.0, 10.0, 5.0], "end_s": [5.0, 20.0, 8.0], "local_speaker": ["B", "A", "B"]})


def many_turns(count: int, speakers: int, duration_s: float) -> pd.DataFrame:
    random = np.random.default_rng(0)
    starts = np.sort(random.uniform(0.0, duration_s * 0.98, count))
    ends = np.minimum(starts + random.exponential(duration_s / count, count), duration_s)
    labels = [f"SPEAKER_{number:02d}" for number in random.integers(0, speakers, count)]
    return pd.DataFrame({"start_s": starts, "end_s": ends, "local_speaker": labels})


def test_excerpt_says_who_and_when() -> None:
    assert excerpt(SPOKEN, URL).splitlines() == [
        f"- [0:00:01](<{URL}&t=1s>) **SPEAKER\\_00** Hello you.",
        f"- [0:01:10](<{URL}&t=70s>) Yes.",
        f"- [0:01:15](<{URL}&t=75s>) **SPEAKER\\_01** No.",
        "",
        "(3 in total)",
    ]


@pytest.mark.parametrize("url", ["/videos/a.mp3", "https://example.com/a.mp3?token=s3cr3t-t0ken"])
def test_excerpt_links_no_file_and_no_secret(url: str) -> None:
    assert excerpt(SPOKEN.drop(columns="local_speaker"), url).splitlines()[1] == "- 0:01:10 Yes."


def test_spoken_text_is_no_markdown() -> None:
    spoken = SPOKEN.head(1).assign(text=["*Not* [a](link) <b> `code` | ~x~ &amp;"])
    assert "\\*Not\\* \\[a\\](link) \\<b\\> \\`code\\` \\| \\~x\\~ \\&amp;" in excerpt(spoken, "/a.mp3")


def test_few_rows_have_more_text() -> None:
    spoken = SPOKEN.head(1).assign(text=["word " * 500])
    assert 700 < len(excerpt(spoken, URL)) < INLINE_CHARACTERS
    assert "\\*" * 100 in excerpt(spoken.assign(text=["*" * 5000]), URL)


def test_excerpt_of_silence() -> None:
    assert excerpt(SPOKEN.head(0), URL) == "Nothing was said."


@pytest.mark.parametrize("text", ["*" * 5000, "𝄞 " * 500, "word " * 500])
def test_long_excerpt_is_shown_in_place(text: str) -> None:
    spoken = pd.concat([SPOKEN.assign(text=text)] * 10)
    kept = excerpt(spoken, URL)
    assert len(kept.encode("utf-16-le")) // 2 < INLINE_CHARACTERS
    assert kept.endswith("(30 in total)")


def test_speakers_are_in_order_of_their_speech() -> None:
    assert speakers_excerpt(TURNS).splitlines() == [
        "- **A** 0:00:10, 56% of the speech",
        "- **B** 0:00:08, 44% of the speech",
        "",
        "(2 in total, 3 turns)",
    ]
    assert speakers_excerpt(TURNS.head(0)) == "No one was heard."


def test_picture_has_a_row_for_each_speaker() -> None:
    pixels = pixels_of(turns_picture(TURNS, 20.0))
    assert pixels.shape == (2 * (BAR + GAP), WIDTH, 4)
    first, second = pixels[0], pixels[BAR + GAP]
    assert first[WIDTH // 2 :, 3].all()
    assert not first[: WIDTH // 2, 3].any()
    assert tuple(first[-1][:3]) == COLOURS[0]
    assert second[: WIDTH // 5, 3].all()
    assert tuple(second[0][:3]) == COLOURS[1]
    assert not pixels[BAR : BAR + GAP, :, 3].any()


@pytest.mark.parametrize(("count", "speakers"), [(500, 3), (3000, 8), (3000, 40)])
def test_picture_of_many_turns_is_shown_in_place(count: int, speakers: int) -> None:
    picture = turns_picture(many_turns(count, speakers, 10_800.0), 10_800.0)
    assert len(picture) < INLINE_CHARACTERS
    assert pixels_of(picture)[:, :, 3].any()


def test_picture_of_no_turns_is_empty() -> None:
    assert not pixels_of(turns_picture(TURNS.head(0), 20.0))[:, :, 3].any()


def test_shortest_turn_is_visible() -> None:
    turns = pd.DataFrame({"start_s": [9999.9], "end_s": [9999.95], "local_speaker": ["A"]})
    assert pixels_of(turns_picture(turns, 10_000.0))[0, :, 3].astype(bool).sum() == 1
