"""Exports as other programs read them, whatever was said, by whom, and when.

webvtt-py reads WebVTT and SRT, pysubs2 SRT of up to 99 hours, pyannote.database RTTM, jsonschema JSON. meeteval, for which
SegLST is written, has no wheel: these tests check what its reader documents.
"""

import html
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import pysubs2
import pytest
import webvtt
from hypothesis import example, given, settings
from jsonschema import Draft202012Validator
from pyannote.database.util import load_rttm

from earshot.common.text import one_line
from earshot.config.settings import PROJECT_ROOT
from earshot.transcripts.formats.exports import FORMATS
from earshot.transcripts.recordings import Recording
from tests.support.export_recordings import anything, export, recording, said_at, small

SCHEMA = json.loads((PROJECT_ROOT / "docs" / "reference" / "export.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
EACH = settings(deadline=None, max_examples=60)
SILENT, ONE_WORD = recording([], []), said_at(0.0)


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def read_json(text: str) -> Any:
    return json.loads(text, parse_constant=refuse)


def vtt_cues(there: Recording) -> list[tuple[tuple[int, int], str, str]]:
    """(times, voice, text) of each cue."""
    read = webvtt.WebVTT.from_string(export(there, "vtt"), strict=True)
    return [(times(cue), html.unescape(cue.voice), html.unescape(cue.text.replace("\n", " "))) for cue in read]


def srt_cues(srt: str) -> list[webvtt.Caption]:
    return webvtt.WebVTT.from_buffer(io.StringIO(srt), format="srt").captions


def times(cue: webvtt.Caption) -> tuple[int, int]:
    """Start and end in milliseconds."""
    return cue.start_time.in_milliseconds(), cue.end_time.in_milliseconds()


def words_of(there: Recording) -> list[str]:
    return list("".join(there.words.text).split())


# --- subtitles -----------------------------------------------------------------------------------------------------------


@EACH
@given(anything())
@example(SILENT)
@example(ONE_WORD)
def test_every_word_and_voice_is_read_in_webvtt(there: Recording) -> None:
    cues = vtt_cues(there)
    assert " ".join(text for _, _, text in cues).split() == words_of(there)
    known = {one_line(there.names.of_label(label).shown) for label in [*there.turns.local_speaker, None]}
    assert {voice for _, voice, _ in cues} <= known


@EACH
@given(anything())
@example(ONE_WORD)
def test_srt_has_the_times_and_texts_of_webvtt_and_a_name_on_change(there: Recording) -> None:
    cues, srt = vtt_cues(there), export(there, "srt")
    if not cues:
        assert srt == ""
        return
    before = None
    for (heard, voice, text), cue in zip(cues, srt_cues(srt), strict=True):
        shown = re.sub("<(?=/?[A-Za-z])", "‹", text.replace("-->", "→"))
        assert times(cue) == heard
        assert cue.raw_text.replace("\n", " ").endswith(shown)
        assert voice == before or len(cue.raw_text) > len(f"{shown}: ")
        before = voice


@EACH
@given(anything())
@example(said_at(86_400.0))
def test_what_players_take_for_markup_is_not_in_srt(there: Recording) -> None:
    if there.words.empty or there.words.end_s.max() >= 99 * 3600:  # pysubs2 has two digits for hours
        return
    srt = export(there, "srt")
    read = pysubs2.SSAFile.from_string(srt, format_="srt")
    raw = srt_cues(srt)
    # The last cue apart: there pysubs2 takes a line of digits for the number of another.
    assert [event.text.replace(r"\N", "\n") for event in read][:-1] == [cue.raw_text for cue in raw][:-1]
    assert [(event.start, event.end) for event in read] == [times(cue) for cue in raw]


@pytest.mark.parametrize("hours", [24, 25, 100])
def test_times_of_a_day_and_more_are_read_in_both(hours: int) -> None:
    there = said_at(hours * 3600.0 + 0.25)
    heard = (hours * 3_600_000 + 250, hours * 3_600_000 + 750)
    assert [times(cue) for cue in srt_cues(export(there, "srt"))] == [heard]
    assert [cue[0] for cue in vtt_cues(there)] == [heard]


# --- RTTM and SegLST -----------------------------------------------------------------------------------------------------


def rttm_tracks(text: str) -> dict[str, list[tuple[float, float, str]]]:
    """Of each recording (start, end, label), rounded as the format has them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.rttm"
        path.write_text(text, encoding="utf-8")
        return {
            name: [(round(s.start, 3), round(s.end, 3), label) for s, _, label in annotation.itertracks(yield_label=True)]
            for name, annotation in load_rttm(path).items()
        }


def shown(there: Recording) -> list[str]:
    return [there.names.of_label(label).shown for label in there.turns.local_speaker]


@EACH
@given(anything())
def test_every_turn_is_read_in_rttm_with_one_label_a_person(there: Recording) -> None:
    [tracks] = rttm_tracks(export(there, "rttm")).values()
    turns = sorted(zip(there.turns.start_s, there.turns.end_s, shown(there), strict=True))
    read = sorted(tracks)
    assert sorted((start, end) for start, end, _ in read) == [(round(start, 3), round(end, 3)) for start, end, _ in turns]
    assert len({label for *_, label in read}) == len(set(shown(there)))


def segments_of(text: str) -> list[dict[str, Any]]:
    """As meeteval reads SegLST: a list of objects, each with a session; times are numbers."""
    segments = read_json(text)
    assert isinstance(segments, list)
    for segment in segments:
        assert set(segment) == {"session_id", "speaker", "start_time", "end_time", "words"}
        assert all(isinstance(segment[key], str) and segment[key] for key in ("session_id", "speaker", "words"))
        assert 0 <= segment["start_time"] < segment["end_time"]
        assert len(segment["speaker"].split()) == 1  # meeteval writes STM and RTTM of it, where spaces are borders
    return segments


@EACH
@given(anything())
@example(SILENT)
@example(ONE_WORD)
def test_every_word_is_in_seglst_under_the_label_of_rttm(there: Recording) -> None:
    segments = segments_of(export(there, "seglst"))
    assert " ".join(segment["words"] for segment in segments).split() == words_of(there)
    labels = {line.split()[7] for line in export(there, "rttm").splitlines()} | {"Unknown"}
    assert {segment["speaker"] for segment in segments} - labels <= {"Unknown_"}  # where a person is called so


@pytest.mark.parametrize("format_name", ["rttm", "seglst"])
def test_a_back_channel_is_its_speakers_and_speech_at_once_is_kept(format_name: str) -> None:
    words = [(0.0, 0.5, " At"), (0.5, 1.0, " least,"), (1.125, 1.375, " yeah,"), (1.5, 2.0, " they"), (2.0, 2.5, " do.")]
    there = recording(words, [(0.0, 1.0, "SPEAKER_00"), (1.125, 1.375, "SPEAKER_01"), (1.5, 3.0, "SPEAKER_00")])
    text = export(there, format_name)
    speakers = (
        [label for *_, label in rttm_tracks(text)["generic-a-1"]]
        if format_name == "rttm"
        else [segment["speaker"] for segment in segments_of(text)]
    )
    assert speakers == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]


# --- JSON ----------------------------------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@EACH
@given(anything())
@example(SILENT)
@example(ONE_WORD)
def test_json_is_as_its_schema_says_and_holds_every_word(there: Recording) -> None:
    document = read_json(export(there, "json"))
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    assert [word["text"] for word in document["words"]] == there.words.text.tolist()
    assert [(turn["start_s"], turn["end_s"]) for turn in document["turns"]] == list(
        zip(there.turns.start_s, there.turns.end_s, strict=True)
    )


def broken(document: dict[str, Any], part: str, key: str, value: object) -> dict[str, Any]:
    return {**document, part: [{**document[part][0], key: value}]}


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("words", "start_s", "0:01"), ("words", "probability", 1.5), ("words", "speaker", None), ("words", "more", 1),
        ("turns", "overlap", 0), ("turns", "local_speaker", None), ("passages", "text", None), ("words", "voice", 1.5),
    ],
)  # fmt: skip
def test_the_schema_refuses_what_no_export_is(part: str, key: str, value: object) -> None:
    document = read_json(export(small(), "json"))
    assert VALIDATOR.is_valid(document)
    assert not VALIDATOR.is_valid(broken(document, part, key, value))


@pytest.mark.parametrize("part", ["words", "turns", "passages", "title", "source", "published_at", "language"])
def test_the_schema_misses_what_every_export_has(part: str) -> None:
    document = read_json(export(small(), "json"))
    del document[part]
    assert not VALIDATOR.is_valid(document)


def test_a_speaker_is_no_person_and_voice_at_once() -> None:
    document = read_json(export(small(), "json"))
    document["words"][0] |= {"person": "Ana", "voice": 7}
    assert not VALIDATOR.is_valid(document)


# --- several in one file -------------------------------------------------------------------------------------------------


def together(format_name: str, *there: Recording) -> str:
    form = FORMATS[format_name].together
    assert form is not None
    return "".join(form.pieces(there))


@EACH
@given(anything(), anything())
@example(SILENT, ONE_WORD)
@example(ONE_WORD, SILENT)
def test_one_file_of_several_has_what_each_of_theirs_has(one: Recording, other: Recording) -> None:
    whole = segments_of(together("seglst", one, SILENT, other))
    assert whole == segments_of(export(one, "seglst")) + segments_of(export(other, "seglst"))
    lines = together("json", one, SILENT, other).removesuffix("\n").split("\n")
    assert [read_json(line) for line in lines] == [read_json(export(each, "json")) for each in (one, SILENT, other)]
    assert together("rttm", one, SILENT, other) == export(one, "rttm") + export(other, "rttm")


@pytest.mark.parametrize(("format_name", "text"), [("rttm", ""), ("json", ""), ("seglst", "[\n\n]\n")])
def test_one_file_of_no_recording_is_still_a_file(format_name: str, text: str) -> None:
    assert together(format_name) == text
