"""References: what is read from files of each format, and what is said about a file that is wrong."""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from bench.corpora.episodes import TELEPHONE, clip_path
from earshot.common.errors import EarshotError
from earshot.transcripts.evaluation.words import Word, comparable
from earshot.transcripts.formats.exports import FORMATS
from earshot.transcripts.recordings import Recording
from earshot.transcripts.references.references import Reference, combine, find_references, read_references
from tests.support.videos.export_recordings import anything, export, recordings


def read(folder: Path, name: str, text: str) -> list[Reference]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_references(path)


def said(reference: Reference) -> list[tuple[str | None, str]]:
    """Each run of words of one speaker."""
    runs: list[tuple[str | None, str]] = []
    for word in reference.words or ():
        if runs and runs[-1][0] == word.speaker:
            runs[-1] = (word.speaker, f"{runs[-1][1]} {word.text}")
        else:
            runs.append((word.speaker, word.text))
    return runs


# --- formats -------------------------------------------------------------------------------------------------------------


def test_stm_has_words_and_turns_of_each_recording(tmp_path: Path) -> None:
    text = (
        ";; a comment\n\n"
        "b 1 Ben 0 1 <o,f0,male> yes\n"
        "a 1 Ben 2.0 4.0 four five\n"
        "a 1 Ana 0.0 1.5 one two three\n"
        "a 1 inter_segment_gap 1.5 2.0\n"
        "a 1 excluded_region 4.0 9.0 ignore_time_segment_in_scoring\n"
    )
    b, a = read(tmp_path, "x.stm", text)
    assert (a.name, said(a), a.unscored) == ("a", [("Ana", "one two three"), ("Ben", "four five")], ((4.0, 9.0),))
    assert a.turns == ((0.0, 1.5, "Ana"), (2.0, 4.0, "Ben"))
    assert a.words is not None
    assert [word.at_s for word in a.words] == pytest.approx([0.0, 1.5 * 3 / 11, 1.5 * 6 / 11, 2.0, 3.0])
    assert (b.name, said(b)) == ("b", [("Ben", "yes")])


def test_rttm_has_turns_without_words(tmp_path: Path) -> None:
    text = (
        "SPKR-INFO a 1 <NA> <NA> <NA> unknown Ana <NA> <NA>\n"
        "SPEAKER a 1 1.5 0.5 <NA> <NA> Ben <NA> <NA>\r\n"
        "SPEAKER a 1 0.0 2.0 <NA> <NA> Ana <NA>\n"
        "NOSCORE a 1 5.0 1.0 <NA> <NA> <NA> <NA> <NA>\n"
    )
    [a] = read(tmp_path, "x.rttm", text)
    assert (a.words, a.turns, a.unscored) == (None, ((0.0, 2.0, "Ana"), (1.5, 2.0, "Ben")), ((5.0, 6.0),))


def test_seglst_has_turns_if_it_has_times(tmp_path: Path) -> None:
    segment = '{"session_id": "a", "speaker": "Ana", "start_time": 0, "end_time": "1.5", "words": "one two"}'
    [timed] = read(tmp_path, "x.seglst.json", f"[{segment}]")
    assert (timed.name, said(timed), timed.turns) == ("a", [("Ana", "one two")], ((0.0, 1.5, "Ana"),))
    [untimed] = read(tmp_path, "x.json", '[{"session_id": "a", "words": "one"}]')
    assert (untimed.words, untimed.turns) == ((Word("one"),), None)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_srt_names_speakers_if_its_first_cue_does(tmp_path: Path, newline: str) -> None:
    cues = "1\n00:00:01,000 --> 00:00:02,500\n{}<i>One</i> two\n\n2\n00:00:03,000 --> 00:00:04,000\nthree:\nfour\n\n"
    last = "3\n00:01:00,000 --> 00:01:01,000\nBen: five\n"
    [named] = read(tmp_path, "talk.srt", f"\ufeff{cues.format('Ana: ')}{last}".replace("\n", newline))
    assert (named.name, named.turns) == ("talk", None)
    assert said(named) == [("Ana", "One two three: four"), ("Ben", "five")]
    [plain] = read(tmp_path, "talk.srt", cues.format("") + last)
    assert said(plain) == [(None, "One two three: four Ben: five")]


def test_vtt_names_speakers_in_voice_tags(tmp_path: Path) -> None:
    text = (
        "WEBVTT - a talk\n\nNOTE 00:00 --> nothing\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start\n<v.loud Ana &amp; Co>One &lt;two&gt; <c.x>three</c>\n<v Ben>four</v>\n\n"
        "1:00:00.000 --> 1:00:01.000\nfive\n"
    )
    [talk] = read(tmp_path, "talk.vtt", text)
    assert said(talk) == [("Ana & Co", "One <two> three"), ("Ben", "four"), (None, "five")]
    assert talk.words is not None
    assert talk.words[-1].at_s == 3600.0


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        pytest.param(
            "Title\nhttps://x: y\n\n[0:00:01] Ana: one: two\n[1:02] Ben B.: three\nfour\n",
            [("Ana", "one: two"), ("Ben B.", "three four")],
            id="times and names",
        ),
        pytest.param("[0:00:01] Ana: one\n[0:00:02] two", [(None, "Ana: one two")], id="times alone"),
        pytest.param("Ana: one\n\nBen: two\n", [("Ana", "one"), ("Ben", "two")], id="names alone"),
        pytest.param("Ana: one\ntwo\n", [(None, "Ana: one two")], id="a line without a name"),
        pytest.param("He said: one", [(None, "He said: one")], id="one line"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_txt_has_what_its_lines_say(tmp_path: Path, text: str, runs: list[tuple[str | None, str]]) -> None:
    [talk] = read(tmp_path, "talk.txt", text)
    assert (talk.name, said(talk), talk.turns) == ("talk", runs, None)


def test_words_of_txt_are_at_the_time_of_their_line(tmp_path: Path) -> None:
    [talk] = read(tmp_path, "talk.txt", "[0:00:01] Ana: one two\n[1:02:00.5] Ben: three\n")
    assert [word.at_s for word in talk.words or ()] == [1.0, 1.0, 3720.5]


def test_telephone_call_is_read() -> None:
    [spoken], [turns] = (read_references(clip_path(TELEPHONE).with_suffix(suffix)) for suffix in (".stm", ".rttm"))
    truth = combine([spoken, turns])
    assert (spoken.name, len(said(spoken)), len(truth.words or ())) == ("sample", 9, 81)
    assert truth.turns == turns.turns
    assert len(truth.turns or ()) == 10


ANY = settings(deadline=None, max_examples=40)


def reread(talk: Recording, format_name: str) -> list[Reference]:
    """What is read from our own export of a recording."""
    with tempfile.TemporaryDirectory() as folder:
        return read(Path(folder), f"talk{FORMATS[format_name].suffix}", export(talk, format_name))


def compared(words: Iterable[Word] | None) -> list[str]:
    return [word.text for word in comparable(words or ())]


@ANY
@given(anything())
@pytest.mark.parametrize("format_name", ["vtt", "seglst"])
def test_every_word_of_an_export_is_read(format_name: str, talk: Recording) -> None:
    words = [word for reference in reread(talk, format_name) for word in reference.words or ()]
    assert compared(words) == compared(map(Word, talk.words.text.tolist()))


@ANY
@given(recordings())
@pytest.mark.parametrize("format_name", ["srt", "txt"])
def test_every_word_of_a_plainly_named_export_is_read(format_name: str, talk: Recording) -> None:
    words = [word for reference in reread(talk, format_name) for word in reference.words or ()]
    if not talk.words.empty:  # else a text has its title alone
        assert compared(words) == compared(map(Word, talk.words.text.tolist()))
        assert {word.speaker for word in words} <= {"SPEAKER_00", "SPEAKER_01", "Unknown"}


@ANY
@given(anything())
def test_every_turn_of_an_export_is_read(talk: Recording) -> None:
    turns = [turn for reference in reread(talk, "rttm") for turn in reference.turns or ()]
    times, expected = sorted(turn[:2] for turn in turns), sorted(zip(talk.turns.start_s, talk.turns.end_s, strict=True))
    np.testing.assert_allclose(times, expected, atol=0.0011)


# --- mistakes ------------------------------------------------------------------------------------------------------------

CUE = "00:00:01,000 --> 00:00:02,000"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.stm", "a 1 Ana 0 1 yes\na 1 Ana", "line 2: expected RECORDING CHANNEL SPEAKER START END TEXT, found 'a 1 Ana'."),
        ("x.stm", "a 1 Ana zero 1 yes", "line 1: expected START in seconds, found 'zero'."),
        ("x.stm", "a 1 Ana 0 nan yes", "line 1: expected END in seconds, found 'nan'."),
        ("x.stm", "a 1 Ana 2 1 yes", "line 1: expected an end after the start at 2 s"),
        ("x.rttm", "a 1 Ana 0 1 yes", "line 1: expected SPEAKER RECORDING CHANNEL START DURATION"),
        ("x.rttm", "\nSPEAKER a 1 0 1", "line 2: expected SPEAKER RECORDING"),
        ("x.rttm", "SPEAKER a 1 0 -1 <NA> <NA> Ana <NA>", "line 1: expected DURATION in seconds, found '-1'."),
        ("x.srt", f"1\n{CUE}\none\n\n2\ntwo", "line 6: expected times such as 00:01:02,500 --> 00:01:04,000, found 'two'."),
        ("x.srt", "1\n00:00:01 --> 00:00:02\none", "line 2: expected times"),
        ("x.srt", "1\n00:00:03,000 --> 00:00:02,000\none", "line 2: expected an end after the start at 3 s"),
        ("x.vtt", f"1\n{CUE}\none", "line 1: expected WEBVTT, found '1'."),
        ("x.vtt", "WEBVTT\n\nsome text", "line 3: expected times"),
        ("x.seglst.json", '[\n{"session_id": "a",}]', "line 2: expected JSON"),
        ("x.seglst.json", '{"session_id": "a"}', "line 1: expected a list of segments"),
        ("x.seglst.json", '[{"session_id": "a", "words": ""}, {"words": ""}]', "segment 2: expected an object with session_id"),
        ("x.seglst.json", '[{"session_id": "a", "words": "", "start_time": [], "end_time": 1}]', "start_time in seconds"),
        ("x.doc", "", "is in no format of references"),
    ],
)
def test_mistake_names_file_line_and_what_was_expected(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(EarshotError, match=re.escape(message)) as raised:
        read(tmp_path, name, text)
    assert str(tmp_path / name) in raised.value.message


def test_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes("one\nnaïve".encode("latin-1"))
    with pytest.raises(EarshotError, match="line 2: expected UTF-8"):
        read_references(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EarshotError, match="cannot be read: No such file"):
        read_references(tmp_path / "x.stm")


# --- several files -------------------------------------------------------------------------------------------------------


def test_folder_has_its_references_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.stm", "deep/a.RTTM", "README.md", ".hidden.txt", "settings.json"):
        (tmp_path / name).write_text("")
    assert find_references([tmp_path, tmp_path / "b.stm"]) == [tmp_path / "b.stm", tmp_path / "deep" / "a.RTTM"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(EarshotError, match=r"has no references.*\.stm, \.rttm"):
        find_references([tmp_path / "empty"])


def test_two_files_with_words_of_one_recording_are_refused(tmp_path: Path) -> None:
    both = [*read(tmp_path, "a.txt", "one"), *read(tmp_path, "a.stm", "a 1 Ana 0 1 one")]
    with pytest.raises(EarshotError, match=r"a\.txt and .*a\.stm are both references of 'a'"):
        combine(both)
