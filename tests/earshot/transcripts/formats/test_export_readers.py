"""Exports of any recording are read correctly by other programs.

webvtt-py reads WebVTT and SRT, pysubs2 SRT of up to 99 hours, pyannote.database RTTM, jsonschema JSON. meeteval, which
SegLST is written for, has no wheel: these tests check what its reader documents.
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
from tests.support.videos.export_recordings import anything, export, recording, said_at, small

SCHEMA = json.loads((PROJECT_ROOT / "docs" / "reference" / "export.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
ANY = settings(deadline=None, max_examples=60)
SILENT, ONE_WORD = recording([], []), said_at(0.0)


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def read_json(text: str) -> Any:
    return json.loads(text, parse_constant=refuse)


def vtt_cues(talk: Recording) -> list[tuple[tuple[int, int], str, str]]:
    """(times, voice, text) of each cue."""
    read = webvtt.WebVTT.from_string(export(talk, "vtt"), strict=True)
    return [(times(cue), html.unescape(cue.voice), html.unescape(cue.text.replace("\n", " "))) for cue in read]


def srt_cues(srt: str) -> list[webvtt.Caption]:
    return webvtt.WebVTT.from_buffer(io.StringIO(srt), format="srt").captions


def times(cue: webvtt.Caption) -> tuple[int, int]:
    """Start and end in milliseconds."""
    return cue.start_time.in_milliseconds(), cue.end_time.in_milliseconds()


def words_of(talk: Recording) -> list[str]:
    return list("".join(talk.words.text).split())


# --- subtitles -----------------------------------------------------------------------------------------------------------


@ANY
@given(anything())
@example(SILENT)
@example(ONE_WORD)
def test_every_word_and_voice_is_read_in_webvtt(talk: Recording) -> None:
    cues = vtt_cues(talk)
    assert " ".join(text for _, _, text in cues).split() == words_of(talk)
    known = {one_line(talk.names.of_label(label).shown) for label in [*talk.turns.local_speaker, None]}
    assert {voice for _, voice, _ in cues} <= known


@ANY
@given(anything())
@example(ONE_WORD)
def test_srt_has_the_cues_of_webvtt(talk: Recording) -> None:
    cues, srt = vtt_cues(talk), export(talk, "srt")
    if not cues:
        assert srt == ""
        return
    previous = None
    for (cue_times, voice, text), cue in zip(cues, srt_cues(srt), strict=True):
        shown = re.sub("<(?=/?[A-Za-z])", "‹", text.replace("-->", "→"))
        assert times(cue) == cue_times
        assert cue.raw_text.replace("\n", " ").endswith(shown)
        assert voice == previous or len(cue.raw_text) > len(f"{shown}: ")
        previous = voice


@ANY
@given(anything())
@example(said_at(86_400.0))
def test_srt_has_no_markup(talk: Recording) -> None:
    if talk.words.empty or talk.words.end_s.max() >= 99 * 3600:  # pysubs2 has two digits for hours
        return
    srt = export(talk, "srt")
    read = pysubs2.SSAFile.from_string(srt, format_="srt")
    raw = srt_cues(srt)
    # Not the last cue, in which pysubs2 takes a line of digits for the number of another cue.
    assert [event.text.replace(r"\N", "\n") for event in read][:-1] == [cue.raw_text for cue in raw][:-1]
    assert [(event.start, event.end) for event in read] == [times(cue) for cue in raw]


@pytest.mark.parametrize("hours", [24, 25, 100])
def test_times_beyond_a_day_are_read(hours: int) -> None:
    talk = said_at(hours * 3600.0 + 0.25)
    expected = (hours * 3_600_000 + 250, hours * 3_600_000 + 750)
    assert [times(cue) for cue in srt_cues(export(talk, "srt"))] == [expected]
    assert [cue[0] for cue in vtt_cues(talk)] == [expected]


# --- RTTM and SegLST -----------------------------------------------------------------------------------------------------


def rttm_tracks(text: str) -> dict[str, list[tuple[float, float, str]]]:
    """(start, end, label) of each turn by recording, rounded as in the format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.rttm"
        path.write_text(text, encoding="utf-8")
        return {
            name: [(round(s.start, 3), round(s.end, 3), label) for s, _, label in annotation.itertracks(yield_label=True)]
            for name, annotation in load_rttm(path).items()
        }


def shown(talk: Recording) -> list[str]:
    return [talk.names.of_label(label).shown for label in talk.turns.local_speaker]


@ANY
@given(anything())
def test_every_turn_is_read_in_rttm(talk: Recording) -> None:
    [tracks] = rttm_tracks(export(talk, "rttm")).values()
    turns = sorted(zip(talk.turns.start_s, talk.turns.end_s, shown(talk), strict=True))
    read = sorted(tracks)
    assert sorted((start, end) for start, end, _ in read) == [(round(start, 3), round(end, 3)) for start, end, _ in turns]
    assert len({label for *_, label in read}) == len(set(shown(talk)))


def segments_of(text: str) -> list[dict[str, Any]]:
    """As meeteval reads SegLST: a list of objects, each with a session; times are numbers."""
    segments = read_json(text)
    assert isinstance(segments, list)
    for segment in segments:
        assert set(segment) == {"session_id", "speaker", "start_time", "end_time", "words"}
        assert all(isinstance(segment[key], str) and segment[key] for key in ("session_id", "speaker", "words"))
        assert 0 <= segment["start_time"] < segment["end_time"]
        assert len(segment["speaker"].split()) == 1  # meeteval also writes STM and RTTM, which separate by spaces
    return segments


@ANY
@given(anything())
@example(SILENT)
@example(ONE_WORD)
def test_every_word_is_in_seglst_with_rttm_labels(talk: Recording) -> None:
    segments = segments_of(export(talk, "seglst"))
    assert " ".join(segment["words"] for segment in segments).split() == words_of(talk)
    labels = {line.split()[7] for line in export(talk, "rttm").splitlines()} | {"Unknown"}
    assert {segment["speaker"] for segment in segments} - labels <= {"Unknown_"}  # a person of this name


@pytest.mark.parametrize("format_name", ["rttm", "seglst"])
def test_back_channel_keeps_its_speaker(format_name: str) -> None:
    words = [(0.0, 0.5, " At"), (0.5, 1.0, " least,"), (1.125, 1.375, " yeah,"), (1.5, 2.0, " they"), (2.0, 2.5, " do.")]
    talk = recording(words, [(0.0, 1.0, "SPEAKER_00"), (1.125, 1.375, "SPEAKER_01"), (1.5, 3.0, "SPEAKER_00")])
    text = export(talk, format_name)
    speakers = (
        [label for *_, label in rttm_tracks(text)["generic-a-1"]]
        if format_name == "rttm"
        else [segment["speaker"] for segment in segments_of(text)]
    )
    assert speakers == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]


# --- JSON ----------------------------------------------------------------------------------------------------------------


def test_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@ANY
@given(anything())
@example(SILENT)
@example(ONE_WORD)
def test_json_follows_its_schema(talk: Recording) -> None:
    document = read_json(export(talk, "json"))
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    assert [word["text"] for word in document["words"]] == talk.words.text.tolist()
    assert [(turn["start_s"], turn["end_s"]) for turn in document["turns"]] == list(
        zip(talk.turns.start_s, talk.turns.end_s, strict=True)
    )


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("words", {"start_s": "0:01"}), ("words", {"probability": 1.5}), ("words", {"speaker": None}), ("words", {"more": 1}),
        ("turns", {"overlap": 0}), ("turns", {"local_speaker": None}), ("passages", {"text": None}), ("words", {"voice": 1.5}),
        ("words", {"person": "Ana", "voice": 7}),
    ],
)  # fmt: skip
def test_schema_refuses_invalid_values(part: str, changes: dict[str, object]) -> None:
    document = read_json(export(small(), "json"))
    assert VALIDATOR.is_valid(document)
    document[part][0] |= changes
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize("part", ["words", "turns", "passages", "title", "source", "published_at", "language"])
def test_schema_requires_every_part(part: str) -> None:
    document = read_json(export(small(), "json"))
    del document[part]
    assert not VALIDATOR.is_valid(document)


# --- several recordings in one file --------------------------------------------------------------------------------------


def joined(format_name: str, *talk: Recording) -> str:
    form = FORMATS[format_name].together
    assert form is not None
    return "".join(form.pieces(talk))


@ANY
@given(anything(), anything())
@example(SILENT, ONE_WORD)
@example(ONE_WORD, SILENT)
def test_file_of_several_recordings_holds_each(first: Recording, second: Recording) -> None:
    whole = segments_of(joined("seglst", first, SILENT, second))
    assert whole == segments_of(export(first, "seglst")) + segments_of(export(second, "seglst"))
    lines = joined("json", first, SILENT, second).removesuffix("\n").split("\n")
    assert [read_json(line) for line in lines] == [read_json(export(talk, "json")) for talk in (first, SILENT, second)]
    assert joined("rttm", first, SILENT, second) == export(first, "rttm") + export(second, "rttm")


@pytest.mark.parametrize(("format_name", "text"), [("rttm", ""), ("json", ""), ("seglst", "[\n\n]\n")])
def test_file_of_no_recordings_is_valid(format_name: str, text: str) -> None:
    assert joined(format_name) == text
