"""Turn times: every printed time, typed back, refers to the turn it was printed for."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from earshot.common.times import format_exact
from earshot.transcripts.attribution.speaker_names import Names, Speaker
from earshot.transcripts.attribution.turn_times import TurnTimes, TypedTime, parse_typed_time, turn_times, turns_alone
from earshot.transcripts.attribution.word_turns import whole_words, word_turns
from earshot.transcripts.recordings import Recording
from tests.support.videos.export_recordings import export, recording

A, B = "SPEAKER_00", "SPEAKER_01"

NEITHER = recording(
    [
        (7.9, 8.3, " Hello."), (8.6, 8.9, " Oh,"), (8.9, 9.1, " hello."), (9.3, 9.6, " Neither"), (9.6, 9.75, " did"),
        (9.75, 9.9, " I."), (10.2, 10.6, " Okay."),
    ],
    [(7.8, 8.4, A), (8.5, 9.2, B), (9.65, 9.95, A), (10.1, 10.7, B)],
)  # fmt: skip

# What the models transcribed of the first episode of `make demo`, a telephone call.
HEARD = [
    (6.38, 6.92, " Hello."), (7.44, 7.88, " Hello."), (8.28, 8.46, " Oh,"), (8.46, 8.7, " hello."), (8.9, 8.94, " I"),
    (8.94, 9.14, " didn't"), (9.14, 9.26, " know"), (9.26, 9.4, " you"), (9.4, 9.48, " were"), (9.48, 9.76, " there."),
    (9.98, 10.22, " Neither"), (10.22, 10.42, " did"), (10.42, 10.64, " I."), (10.64, 10.98, " Okay."), (11.14, 11.28, " I"),
    (11.28, 11.5, " thought,"), (12.62, 12.84, " is"), (12.84, 13.12, " Diane"), (14.38, 14.5, " And"), (14.5, 14.76, " I'm"),
    (14.76, 15.08, " Sheila."), (18.08, 18.26, " Oh,"), (18.48, 18.62, " I'm"), (18.62, 18.82, " originally"),
    (21.8, 22.12, " Well,"), (22.28, 22.7, " there's"), (27.54, 27.56, " So"), (27.56, 27.88, " I"), (27.88, 28.68, " don't"),
    (28.68, 28.82, " hear"), (28.82, 29.04, " that"),
]  # fmt: skip
ALONE = [
    (6.73, 6.747, B), (6.747, 7.169, A), (7.169, 7.186, B), (7.591, 7.625, B), (7.625, 8.03, A), (8.03, 9.97, B),
    (9.97, 10.544, A), (10.544, 14.324, B), (14.324, 17.885, A), (18.02, 21.513, B), (21.766, 28.499, A), (28.499, 29.967, B),
]  # fmt: skip
TURNS = [
    *ALONE[:6], (9.97, 10.983, A), (10.46, 14.729, B), (14.307, 17.885, A), (18.02, 21.513, B), (18.205, 18.391, A),
    (21.766, 28.499, A), (27.824, 29.967, B),
]  # fmt: skip


def with_turns(talk: Recording, turns: Sequence[tuple[float, float, str]]) -> Recording:
    """The recording, with turns that overlap."""
    frame = pd.DataFrame([(*turn, False) for turn in turns], columns=["start_s", "end_s", "local_speaker", "overlap"])
    return replace(talk, turns=frame)


TELEPHONE = with_turns(recording(HEARD, ALONE), TURNS)


def speaker_at(times: TurnTimes, text: str) -> list[str]:
    return times.turns.local_speaker.iloc[times.meant(parse_typed_time(text))].tolist()


def printed_lines(talk: Recording) -> list[tuple[str, str]]:
    """The times and speakers of a text export without names."""
    return re.findall(r"^\[([\d:]+)\] (\S+):", export(talk, "txt"), re.MULTILINE)


# --- cases ---------------------------------------------------------------------------------------------------------------


def test_whole_second_means_the_printed_line() -> None:
    times = turn_times(NEITHER)
    assert ("0:00:09", A) in printed_lines(NEITHER)
    assert speaker_at(times, "9") == speaker_at(times, "0:00:09") == [A]
    assert times.meant(parse_typed_time("0:00:08")) == [1]  # not the "Hello." being said then
    assert times.meant(parse_typed_time("0:00:07")) == [0]


def test_exact_times() -> None:
    times = turn_times(NEITHER)
    assert times.meant(parse_typed_time("9.1")) == [1]
    assert times.meant(parse_typed_time("9.7")) == [2]
    assert times.meant(parse_typed_time("0:00:08.0")) == [0]
    assert times.meant(parse_typed_time("00:00:09,300")) == [2]  # the start of a word means its turn


def test_second_without_a_line_means_the_spoken_turn() -> None:
    times = turn_times(recording([(0.5, 1.0, " A."), (30.0, 30.5, " B.")], [(0.5, 20.0, A), (30.0, 31.0, B)]))
    assert times.meant(parse_typed_time("12")) == [0]
    assert times.meant(parse_typed_time("25")) == []


def test_turn_starting_in_the_second_comes_first() -> None:
    times = turns_alone(pd.DataFrame([(0.0, 9.5, A), (9.5, 12.0, B)], columns=["start_s", "end_s", "local_speaker"]))
    assert times.meant(parse_typed_time("9")) == [1]
    assert times.meant(parse_typed_time("9.0")) == [0]


def test_two_lines_in_one_second_are_ambiguous() -> None:
    times = turn_times(recording([(3.1, 3.3, " Yes."), (3.6, 4.4, " No.")], [(3.0, 3.4, A), (3.5, 5.0, B)]))
    assert times.meant(parse_typed_time("3")) == [0, 1]
    assert [str(times.time_of(row)) for row in (0, 1)] == ["0:00:03.000", "0:00:03.500"]
    assert [times.meant(parse_typed_time(str(times.time_of(row)))) for row in (0, 1)] == [[0], [1]]


def test_fully_overlapped_turn_has_no_time() -> None:
    rows = [(0.0, 9.0, A), (3.0, 4.0, B), (20.0, 22.0, B)]
    assert turns_alone(pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker"])).time_of(1) is None


def test_line_of_an_override_means_its_turn() -> None:
    ana = Names(moments=((10.0, 20.0, Speaker("Ana", person="Ana")),))
    words = [(0.5, 9.5, " Who"), (9.5, 9.9, " are"), (10.2, 10.9, " you,"), (12.0, 19.0, " then?")]
    talk = recording(words, [(0.0, 9.95, A), (10.05, 20.0, A)], ana)
    assert printed_lines(talk) == [("0:00:00", A), ("0:00:10", "Ana")]
    assert turn_times(talk).meant(parse_typed_time("0:00:10")) == [1]


@pytest.mark.parametrize("text", ["noon", "0:75:00", "1,2,3", "-1"])
def test_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text.replace(",", "."))):
        parse_typed_time(text)


def test_printed_times_of_a_real_recording() -> None:
    times = turn_times(TELEPHONE)
    lines = printed_lines(TELEPHONE)
    assert [speaker_at(times, text) for text, _ in lines] == [[speaker] for _, speaker in lines]
    assert ("0:00:09", A) in lines
    assert times.meant(parse_typed_time("0:00:09")) == [TURNS.index((9.97, 10.983, A))]


def test_suggested_times_of_a_real_recording() -> None:
    times = turn_times(TELEPHONE)
    suggested = [times.time_of(row) for row in range(len(TURNS))]
    assert [times.meant(parse_typed_time(str(time))) for time in suggested if time] == [
        [row] for row, time in enumerate(suggested) if time
    ]
    assert [row for row, time in enumerate(suggested) if time is None] == [TURNS.index((18.205, 18.391, A))]


# --- words and their turns -----------------------------------------------------------------------------------------------


def turns_of(talk: Recording) -> list[int]:
    return word_turns(talk.words, talk.word_speakers(), talk.turns).tolist()


def test_word_before_the_border_has_the_turn_of_its_sentence() -> None:
    words = [(26.0, 29.9, " Go."), (30.1, 30.4, " In"), (30.5, 31.0, " the"), (31.0, 31.5, " winter")]
    assert turns_of(recording(words, [(26.0, 30.3, A), (30.45, 40.0, A)])) == [0, 1, 1, 1]


def test_word_without_speaker_has_no_turn() -> None:
    assert turns_of(recording([(0.5, 1.0, " A."), (60.0, 61.0, " B.")], [(0.5, 1.0, A)])) == [0, -1]


# --- corrections of whole words ------------------------------------------------------------------------------------------

ANA = Speaker("Ana", person="Ana")


def corrected(talk: Recording, *moments: tuple[float, float]) -> Recording:
    """The recording with a correction: Ana speaks in these times."""
    overrides = [(start, end, 1) for start, end in moments]
    whole = whole_words(overrides, talk.words, talk.word_speakers(), talk.turns)
    return replace(talk, names=Names(moments=tuple((start, end, ANA) for start, end, _ in whole)))


def texts(talk: Recording) -> list[str]:
    return re.sub(r"\[[\d:]+\] ", "", export(talk, "txt").partition("\n\n")[2]).splitlines()  # after the heading


def test_corrected_turn_takes_the_word_before_its_border() -> None:
    words = [(26.0, 29.9, " Go."), (30.1, 30.4, " In"), (30.5, 31.0, " the"), (31.0, 31.5, " winter")]
    talk = recording(words, [(26.0, 30.3, A), (30.45, 40.0, A)])
    assert texts(corrected(talk, (30.45, 40.0))) == [f"{A}: Go.", "Ana: In the winter"]
    assert texts(corrected(talk, (26.0, 30.3))) == ["Ana: Go.", f"{A}: In the winter"]


def test_corrected_turn_takes_an_overlapped_word() -> None:
    """As heard in the first episode of the demo: its "I." is said while the other says "Okay."."""
    assert "Ana: Neither did I." in texts(corrected(TELEPHONE, (9.97, 10.46)))
    turns = json.loads(export(corrected(TELEPHONE, (9.97, 10.46)), "json"))["turns"]
    assert [turn["speaker"] for turn in turns[6:8]] == ["Ana", B]


def test_correction_of_half_a_turn_stays_half() -> None:
    words = [(float(second), second + 0.9, f" w{second}") for second in range(10)]
    talk = recording(words, [(0.0, 10.0, A)])
    assert texts(corrected(talk, (0.0, 5.0))) == ["Ana: w0 w1 w2 w3 w4", f"{A}: w5 w6 w7 w8 w9"]


# --- any recording -------------------------------------------------------------------------------------------------------

STEPS = st.tuples(st.integers(0, 1500), st.integers(150, 2500), st.sampled_from([A, B]))
WORDS = st.tuples(st.integers(0, 600), st.integers(20, 700), st.sampled_from([" a", " b", " c.", " d?"]))


@st.composite
def talks(draw: st.DrawFn) -> Recording:
    """Two speakers whose turns may overlap each other's but not their own; and words at any time."""
    turns: list[tuple[float, float, str]] = []
    free = {A: 0, B: 0}
    clock = 0
    for pause, length, speaker in draw(st.lists(STEPS, min_size=1, max_size=10)):
        start = max(clock + pause - 300, free[speaker], 0)
        turns.append((start / 1000, (start + length) / 1000, speaker))
        clock, free[speaker] = max(clock, start + length), start + length + 10
    words, at = [], 0
    for pause, length, text in draw(st.lists(WORDS, max_size=30)):
        words.append(((at + pause) / 1000, (at + pause + length) / 1000, text))
        at += pause + length
    return with_turns(recording(words, _exclusive(sorted(turns))), sorted(turns))


def _exclusive(turns: Sequence[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """One speaker at a time: the first to begin goes on."""
    exclusive, until = [], 0.0
    for start, end, speaker in turns:
        if end > max(start, until):
            exclusive.append((max(start, until), end, speaker))
        until = max(until, end)
    return exclusive


def assert_means(times: TurnTimes, text: str, speaker: str) -> None:
    """The time means a turn of the speaker, or several turns, one of them the speaker's, that each have their own time."""
    meant = times.meant(parse_typed_time(text))
    speakers = set(times.turns.local_speaker.iloc[meant])
    assert speaker in speakers
    if len(meant) == 1:
        return
    for row in meant:
        time = times.time_of(row)
        if time is not None:
            assert times.meant(parse_typed_time(str(time))) == [row]


@settings(deadline=None, max_examples=60)
@given(talks())
def test_printed_time_refers_to_turn_of_its_line(talk: Recording) -> None:
    times = turn_times(talk)
    for text, speaker in printed_lines(talk):
        if speaker != "Unknown":
            assert_means(times, text, speaker)
    document = json.loads(export(talk, "json"))
    for word in document["words"]:
        if word["local_speaker"]:
            assert_means(times, format_exact(word["start_s"]), word["local_speaker"])
    for row, turn in enumerate(document["turns"]):
        assert_means(times, format_exact(turn["start_s"]), turn["local_speaker"])
        suggested = times.time_of(row)
        assert suggested is None or times.meant(parse_typed_time(str(suggested))) == [row]


@settings(deadline=None, max_examples=60)
@given(talks(), st.data())
def test_corrected_turn_has_all_its_words_and_no_others(talk: Recording, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(talk.turns) - 1))
    alone = turns_alone(talk.turns).alone(row)
    assume(alone)
    rows, after = turns_of(talk), corrected(talk, *alone)
    speakers = after.names.of_spans(talk.words, talk.word_speakers())
    middles = ((talk.turns.start_s + talk.turns.end_s) / 2).tolist()
    for number, (of_turn, speaker) in enumerate(zip(rows, speakers, strict=True)):
        word = talk.words.iloc[number]
        near = [middle for index, middle in enumerate(middles) if index != of_turn]
        if of_turn >= 0 and all(abs(middle - (word.start_s + word.end_s) / 2) > 0.002 for middle in near):
            assert (speaker == ANA) == (of_turn == row)
    assert all(before[1] <= later[0] for before, later in pairwise(after.names.moments))


def test_correction_of_a_short_turn_spares_the_turn_inside_it() -> None:
    """The second speaker's whole turn is corrected, since less than a second of it is free of the first speaker."""
    turns = [(0.0, 1.982, A), (1.957, 2.177, B), (1.992, 2.142, A)]
    words = [(0.465, 0.757, " b"), (0.915, 0.985, " a"), (1.982, 2.002, " d?")]
    talk = with_turns(recording(words, _exclusive(turns)), turns)
    assert turns_of(talk) == [0, 0, 2]
    names = corrected(talk, *turns_alone(talk.turns).alone(1)).names
    assert [speaker == ANA for speaker in names.of_spans(talk.words, talk.word_speakers())] == [False, False, False]


@settings(deadline=None, max_examples=60)
@given(talks(), st.integers(0, 30))
def test_second_is_ambiguous_between_concurrent_turns_only(talk: Recording, second: int) -> None:
    times = turn_times(talk)
    meant = times.meant(TypedTime(float(second)))
    if len(meant) > 1:
        starts = times.turns.start_s.iloc[meant].to_numpy()
        begun = (starts.astype(int) == second) | np.isin(meant, list(times.lines.at(TypedTime(float(second)))))
        spoken = (starts <= second) & (times.turns.end_s.iloc[meant].to_numpy() > second)
        assert begun.all() or spoken.all()
