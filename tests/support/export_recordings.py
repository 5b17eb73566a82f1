"""Recordings as the stages would have left them, for tests of exports: by hand, and any that hypothesis thinks of."""

from dataclasses import replace
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from earshot.common.text import one_line
from earshot.storage.catalog.videos import Video
from earshot.transcripts.formats.exports import FORMATS
from earshot.transcripts.passages import Limits, cut_passages
from earshot.transcripts.recordings import Recording
from earshot.transcripts.speaker_names import Names, Speaker
from earshot.transcripts.word_speakers import attribute_words, sentence_speakers

VIDEO = Video("generic-a-1", "https://x/a.mp3", "https://x", "A talk", duration_s=90.0)
Word = tuple[float, float, str]
Turn = tuple[float, float, str]


def export(there: Recording, format_name: str) -> str:
    return FORMATS[format_name].export(there)


def frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Rows as Database.frame() gives them."""
    return pd.DataFrame(rows, columns=columns)


def recording(words: list[Word], turns: list[Turn], names: Names | None = None) -> Recording:
    """Words and turns as the stages would have left them; nobody is identified, unless names say so."""
    spoken = frame(
        [{"start_s": a, "end_s": b, "text": text, "probability": 0.5} for a, b, text in words],
        ["start_s", "end_s", "text", "probability"],
    )
    exclusive = frame(
        [{"start_s": a, "end_s": b, "local_speaker": name} for a, b, name in turns], ["start_s", "end_s", "local_speaker"]
    )
    speakers = sentence_speakers(spoken, attribute_words(spoken, exclusive, exclusive))
    passages = cut_passages(spoken, speakers, [1] * len(words), Limits(seconds=20.0, weight=100))
    kept = [{**row, "local_speaker": speakers[row["first_word"]]} for row in passages.to_dict("records")]
    overlapped = frame(
        [{"start_s": a, "end_s": b, "local_speaker": name, "overlap": False} for a, b, name in turns],
        ["start_s", "end_s", "local_speaker", "overlap"],
    )
    columns = [str(name) for name in passages.columns]
    return Recording(VIDEO, "en", spoken, overlapped, exclusive, frame(kept, columns), names or Names())


def small() -> Recording:
    """Two speakers, and at the end a word that nobody was heard to say."""
    words = [
        (0.5, 1.0, " Is"), (1.0, 1.5, " A"), (1.5, 1.75, " <"), (1.75, 2.0, " B"), (2.0, 2.5, " &"), (2.5, 3.0, " C?"),
        (3.5, 4.0, " No."), (60.0, 60.5, " Naïve…"),
    ]  # fmt: skip
    return recording(words, [(0.5, 3.0, "SPEAKER_00"), (3.25, 4.0, "SPEAKER_01")])


def said_at(start_s: float) -> Recording:
    return recording([(start_s, start_s + 0.5, " Still here.")], [(start_s, start_s + 1, "SPEAKER_00")])


WORDS = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 3000),
        st.text("abcdefgh", min_size=1, max_size=14),
        st.sampled_from(["", "", "", ".", "?"]),
    ),
    max_size=40,
)

# As whisper writes words: a space before them, none within, and anything else.
ANY_WORD = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=20),
    st.sampled_from(
        ["2024", "-->", "<i>", "</v>", "&", "&lt;", "NOTE", "WEBVTT", "STYLE", "שלום", "🎙️", "end.", "what?", '"so"']
    ),
)


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Words whose starts never run backwards, two speakers in turn."""
    words, clock = [], 0
    for step, length, text, end in draw(WORDS):
        clock += step
        words.append((clock / 1000, (clock + length // 3) / 1000, f" {text}{end}"))
    turn_s = draw(st.integers(1, 20))
    return recording(words, [(float(i * turn_s), float((i + 1) * turn_s), f"SPEAKER_0{i % 2}") for i in range(3)])


@st.composite
def anything(draw: st.DrawFn) -> Recording:
    """Any words from any time on, up to 100 hours, of up to three speakers of any name, who may speak at once."""
    start = draw(st.sampled_from([0, 1, 86_399, 90_000, 359_990]))
    steps = st.tuples(st.integers(0, 2000), st.integers(10, 3000), ANY_WORD)
    words, clock = [], start * 1000
    for step, length, text in draw(st.lists(steps, max_size=20)):
        clock += step
        words.append((clock / 1000, (clock + length) / 1000, f" {text}"))
    turn_s, labels = draw(st.integers(1, 10)), draw(st.integers(1, 3))
    alone = [(start + i * turn_s, start + (i + 1) * turn_s, f"SPEAKER_0{i % labels}") for i in range(4)]
    over = draw(st.lists(st.tuples(st.integers(0, 4000), st.integers(10, 4000)), max_size=2))
    others = [(start + begin / 1000, start + (begin + length) / 1000, "SPEAKER_09") for begin, length in over]
    spoken = {f"SPEAKER_0{i}": draw(NAMES) for i in range(labels)}
    named = Names({label: Speaker(name, person=name) for label, name in spoken.items()})
    there = recording(words, [(float(a), float(b), label) for a, b, label in alone], named)
    turns = sorted([(*turn, False) for turn in alone] + [(*turn, True) for turn in others])
    return replace(there, turns=pd.DataFrame(turns, columns=["start_s", "end_s", "local_speaker", "overlap"]))


NAMES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=100).filter(one_line),
    st.sampled_from([
        "a, b", '"Ana"', "O'Neil", "<v Bob>", "a\n\n2\n00:00:01,000 --> 00:00:02,000\nb", "a --> b", "None", "NA", "null",
        "nan",
        "Ana B", "Ana_B", "Ana\u2028B", ";; a", "王小明 🎙️", "&amp;", "WEBVTT", "x" * 100, "SPEAKER_01", "#", "{\\an8}",
    ]),
)  # fmt: skip
