"""One video in each format, literally. For what other programs read, see test_export_readers.py."""

import html
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from earshot.common.times import format_hms
from earshot.transcripts.attribution.speaker_names import Names, Speaker
from earshot.transcripts.attribution.speaker_refs import SpeakerRef
from earshot.transcripts.formats.cues import MAX_LINE_LENGTH
from earshot.transcripts.formats.exports import FORMATS
from earshot.transcripts.recordings import Recording, spoken_by
from tests.support.videos.export_recordings import NAMES, VIDEO, export, recording, recordings, small

# --- txt -----------------------------------------------------------------------------------------------------------------


def test_txt_has_a_line_per_passage() -> None:
    assert export(small(), "txt").splitlines()[3:] == [
        "[0:00:00] SPEAKER_00: Is A < B & C?", "[0:00:03] SPEAKER_01: No.", "[0:01:00] Unknown: Naïve…"
    ]  # fmt: skip


def test_txt_heading_has_title_day_and_link() -> None:
    dated = replace(VIDEO, title="A\ntalk", published_at=datetime(2026, 1, 5, 23, 30, tzinfo=UTC))
    assert export(replace(small(), video=dated), "txt").splitlines()[:4] == ["A talk", "2026-01-05", "https://x/a.mp3", ""]
    local = replace(VIDEO, url="/home/a/Team meeting.wav")
    assert export(replace(small(), video=local), "txt").startswith("A talk\nfile:///home/a/Team%20meeting.wav\n\n[0:00:00] ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0:00:00"), (59.999, "0:00:59"), (3661.0, "1:01:01"), (90_000.0, "25:00:00"), (360_000.0, "100:00:00")],
)
def test_clock_counts_hours_beyond_a_day(seconds: float, text: str) -> None:
    assert format_hms(seconds) == text


# --- subtitles -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cue:
    """One cue read back; times in milliseconds."""

    start: int
    end: int
    lines: list[str]

    @property
    def words(self) -> list[str]:
        return " ".join(self.lines).split()


CUE = re.compile(r"(\d+)\n(\d{2,}):(\d\d):(\d\d),(\d{3}) --> (\d{2,}):(\d\d):(\d\d),(\d{3})\n((?:.+\n)+)")


def read_srt(text: str) -> list[Cue]:
    """Every block of an SRT file; each must match the format exactly."""
    cues = []
    for number, block in enumerate(text.split("\n\n") if text else [], start=1):
        match = CUE.fullmatch(block.rstrip("\n") + "\n")
        assert match is not None, block
        assert int(match[1]) == number
        h1, m1, s1, ms1, h2, m2, s2, ms2 = map(int, match.groups()[1:9])
        start, end = ((h * 60 + m) * 60_000 + s * 1000 + ms for h, m, s, ms in ((h1, m1, s1, ms1), (h2, m2, s2, ms2)))
        cues.append(Cue(start, end, match[10].splitlines()))
    return cues


def test_srt_names_the_speaker_on_change() -> None:
    assert export(small(), "srt") == (
        "1\n00:00:00,500 --> 00:00:03,000\nSPEAKER_00: Is A < B & C?\n\n"
        "2\n00:00:03,500 --> 00:00:04,000\nSPEAKER_01: No.\n\n"
        "3\n00:01:00,000 --> 00:01:00,500\nUnknown: Naïve…\n"
    )


def test_srt_names_a_continuing_speaker_once() -> None:
    words = [(float(second), second + 0.9, f" Sentence {second}.") for second in range(20)]
    cues = read_srt(export(recording(words, [(0.0, 20.0, "SPEAKER_00")]), "srt"))
    assert len(cues) > 1
    assert [cue.words[0] == "SPEAKER_00:" for cue in cues] == [True] + [False] * (len(cues) - 1)


def test_overlong_word_has_its_own_line() -> None:
    long = "x" * (MAX_LINE_LENGTH + 10)
    cues = read_srt(export(recording([(0.0, 1.0, " so"), (1.0, 2.0, f" {long}")], [(0.0, 2.0, "S")]), "srt"))
    assert long in [line for cue in cues for line in cue.lines]


def test_simultaneous_words_do_not_overlap_on_screen() -> None:
    words = [(10.0, 10.0, " Yes."), (10.0, 12.0, " No.")]
    first, second = read_srt(export(recording(words, [(9.0, 10.5, "A"), (10.5, 13.0, "B")]), "srt"))
    assert first.start < first.end <= second.start < second.end


def test_full_cue_with_speaker_fits_two_lines() -> None:
    text = "Nobody expected that the committee would publish all of its minutes on a Thursday"
    words = [(index * 0.4, index * 0.4 + 0.3, f" {word}") for index, word in enumerate(text.split())]
    cues = read_srt(export(recording(words, [(0.0, 9.0, "SPEAKER_00")]), "srt"))
    assert [len(cue.lines) for cue in cues if len(cue.lines) > 2] == []


def cue_lines(text: str, word_s: float = 0.25, names: Names | None = None) -> list[list[str]]:
    """The cues of what one speaker says."""
    words = [(i * word_s, (i + 0.9) * word_s, f" {word}") for i, word in enumerate(text.split())]
    return [cue.lines for cue in read_srt(export(recording(words, [(0.0, words[-1][1], "S")], names), "srt"))]


def test_sentence_that_fits_two_lines_is_one_cue() -> None:
    sentence = "In the winter of 1984 the waves broke the windows of the lamp room."
    assert cue_lines(f"So. {sentence}")[-1] == ["S: So. In the winter of 1984 the waves", "broke the windows of the lamp room."]
    assert cue_lines(f"{'Well, ' * 10} yes. {sentence}")[-1] == [
        "In the winter of 1984 the waves broke the",
        "windows of the lamp room.",
    ]


def test_sentence_that_does_not_fit_leaves_no_word_alone() -> None:
    sentence = "In the winter of 1984 the waves broke the windows of the lamp room and the keeper went home."
    assert cue_lines(sentence) == [
        ["S: In the winter of 1984 the waves broke", "the windows"],
        ["of the lamp room and the keeper went home."],
    ]
    assert [len(" ".join(lines).split()) for lines in cue_lines("word " * 18 + "end.")] == [10, 10]


def test_long_sentence_is_cut_evenly() -> None:
    assert [len(" ".join(lines).split()) for lines in cue_lines("one two six ten and so on.", 1.2)] == [4, 4]


def test_text_without_spaces_is_cut_at_the_width_of_a_line() -> None:
    words = [(i * 0.1, i * 0.1 + 0.1, "字") for i in range(60)]
    cues = read_srt(export(recording(words, [(0.0, 6.0, "S")]), "srt"))
    assert [[len(line) for line in cue.lines] for cue in cues] == [[len("S: ") + 30], [30]]


@settings(deadline=None, max_examples=30)
@given(recordings())
def test_cues_are_in_order_and_last_at_most_seven_seconds(talk: Recording) -> None:
    cues = read_srt(export(talk, "srt"))
    times = [time for cue in cues for time in (cue.start, cue.end)]
    assert times == sorted(times)
    assert all(0 < cue.end - cue.start <= 7000 for cue in cues)


def test_vtt_escapes_markup_and_names_the_voice() -> None:
    assert export(small(), "vtt") == (
        "WEBVTT\n\n"
        "00:00:00.500 --> 00:00:03.000\n<v SPEAKER_00>Is A &lt; B &amp; C?\n\n"
        "00:00:03.500 --> 00:00:04.000\n<v SPEAKER_01>No.\n\n"
        "00:01:00.000 --> 00:01:00.500\n<v Unknown>Naïve…\n"
    )


def test_vtt_escapes_do_not_count_as_width() -> None:
    talk = recording([(0.0, 1.0, " " + " ".join(["&&"] * 14))], [(0.0, 1.0, "S")])
    lines = export(talk, "vtt").splitlines()[3:]
    assert html.unescape(" ".join(lines)).removeprefix("<v S>") == " ".join(["&&"] * 14)
    assert len(lines) == 1


# --- json and rttm -------------------------------------------------------------------------------------------------------


def test_json_has_words_turns_and_passages() -> None:
    document = json.loads(export(small(), "json"))
    assert (document["video_id"], document["title"], document["language"]) == ("generic-a-1", "A talk", "en")
    assert document["words"][0] == {
        "start_s": 0.5, "end_s": 1.0, "text": " Is", "probability": 0.5, "local_speaker": "SPEAKER_00",
        "speaker": "SPEAKER_00", "person": None, "voice": None,
    }  # fmt: skip
    assert document["turns"][1] == {
        "start_s": 3.25, "end_s": 4.0, "local_speaker": "SPEAKER_01", "overlap": False,
        "speaker": "SPEAKER_01", "person": None, "voice": None,
    }  # fmt: skip
    assert [passage["text"] for passage in document["passages"]] == ["Is A < B & C?", "No.", "Naïve…"]


def test_json_has_metadata_of_the_video() -> None:
    dated = replace(VIDEO, published_at=datetime(2026, 1, 5, 9, tzinfo=UTC))
    document = json.loads(export(replace(small(), video=dated), "json"))
    assert (document["source"], document["published_at"]) == ("https://x", "2026-01-05T09:00:00+00:00")
    document = json.loads(export(replace(small(), video=replace(VIDEO, duration_s=None), language=None), "json"))
    assert (document["duration_s"], document["language"], document["published_at"]) == (None, None, None)


# --- identified speakers -------------------------------------------------------------------------------------------------

ANA, VOICE = Speaker("Ana López", person="Ana López"), Speaker("voice 7", voice=7)
KNOWN = Names({"SPEAKER_00": ANA, "SPEAKER_01": VOICE})


def named(names: Names) -> Recording:
    return replace(small(), names=names)


def test_each_format_names_speakers_and_marks_unknown_ones() -> None:
    assert [line.split("] ")[1] for line in export(named(KNOWN), "txt").splitlines()[3:]] == [
        "Ana López: Is A < B & C?", "voice 7: No.", "Unknown: Naïve…"
    ]  # fmt: skip
    assert [cue.lines for cue in read_srt(export(named(KNOWN), "srt"))] == [
        ["Ana López: Is A < B & C?"], ["voice 7: No."], ["Unknown: Naïve…"]
    ]  # fmt: skip
    assert re.findall("<v (.*?)>", export(named(KNOWN), "vtt")) == ["Ana López", "voice 7", "Unknown"]
    assert [line.split()[7] for line in export(named(KNOWN), "rttm").splitlines()] == ["Ana_López", "voice_7"]


def test_json_has_local_speaker_and_identity() -> None:
    document = json.loads(export(named(KNOWN), "json"))
    keys = ("local_speaker", "speaker", "person", "voice")
    expected = [("SPEAKER_00", "Ana López", "Ana López", None), ("SPEAKER_01", "voice 7", None, 7)]
    for part in ("turns", "passages"):
        assert [tuple(row[key] for key in keys) for row in document[part]][:2] == expected
    assert tuple(document["words"][6][key] for key in keys) == expected[1]
    unknown = (None, "Unknown", None, None)
    assert [tuple(document[part][-1][key] for key in keys) for part in ("words", "passages")] == [unknown, unknown]


def test_person_of_two_local_speakers_is_named_once() -> None:
    talk = named(Names({"SPEAKER_00": ANA, "SPEAKER_01": ANA}))
    first, unknown = read_srt(export(talk, "srt"))
    assert first.words == ["Ana", "López:", "Is", "A", "<", "B", "&", "C?", "No."]
    assert unknown.words == ["Unknown:", "Naïve…"]
    assert {line.split()[7] for line in export(talk, "rttm").splitlines()} == {"Ana_López"}


def test_segment_overrides_split_passages_and_cues() -> None:
    talk = named(Names({"SPEAKER_00": ANA}, ((1.5, 2.5, VOICE),)))
    assert export(talk, "txt").splitlines()[3:6] == [
        "[0:00:00] Ana López: Is A", "[0:00:01] voice 7: < B &", "[0:00:02] Ana López: C?"
    ]  # fmt: skip
    assert [cue.lines for cue in read_srt(export(talk, "srt"))][:3] == [
        ["Ana López: Is A"],
        ["voice 7: < B &"],
        ["Ana López: C?"],
    ]
    document = json.loads(export(talk, "json"))
    assert [(row["start_s"], row["end_s"], row["speaker"]) for row in document["passages"]][:3] == [
        (0.5, 1.5, "Ana López"), (1.5, 2.5, "voice 7"), (2.5, 3.0, "Ana López")
    ]  # fmt: skip
    assert [(word["local_speaker"], word["speaker"]) for word in document["words"]][1:3] == [
        ("SPEAKER_00", "Ana López"), ("SPEAKER_00", "voice 7")
    ]  # fmt: skip


def test_back_channel_stays_in_its_sentence() -> None:
    words = [(0.0, 0.5, " At"), (0.5, 1.0, " least,"), (1.125, 1.375, " yeah,"), (1.5, 2.0, " they"), (2.0, 2.5, " do.")]
    talk = recording(words, [(0.0, 1.0, "SPEAKER_00"), (1.125, 1.375, "SPEAKER_01"), (1.5, 3.0, "SPEAKER_00")])
    assert export(talk, "txt").endswith("\n\n[0:00:00] SPEAKER_00: At least, yeah, they do.\n")
    assert [cue.lines for cue in read_srt(export(talk, "srt"))] == [["SPEAKER_00: At least, yeah, they do."]]
    assert [word["local_speaker"][-1] for word in json.loads(export(talk, "json"))["words"]] == list("00100")


def test_export_of_one_speaker() -> None:
    words = [
        (0.0, 0.5, " At"), (0.5, 1.0, " least,"), (1.125, 1.375, " yeah,"), (1.5, 2.0, " they"), (2.0, 2.5, " do."),
        (3.5, 4.0, " No."),
    ]  # fmt: skip
    turns = [(0.0, 1.0, "SPEAKER_00"), (1.125, 1.375, "SPEAKER_01"), (1.5, 3.0, "SPEAKER_00"), (3.25, 4.0, "SPEAKER_01")]
    talk = recording(words, turns, KNOWN)
    ana, voice = spoken_by(talk, SpeakerRef(ANA.shown, person_id=1)), spoken_by(talk, SpeakerRef("voice 7", voice_id=7))
    assert export(ana, "txt").splitlines()[3:] == ["[0:00:00] Ana López: At least, they do."]
    assert export(voice, "txt").splitlines()[3:] == ["[0:00:01] voice 7: yeah,", "[0:00:03] voice 7: No."]
    assert [cue.lines for cue in read_srt(export(voice, "srt"))] == [["voice 7: yeah,"], ["No."]]
    assert [line.split()[3] for line in export(voice, "rttm").splitlines()] == ["1.125", "3.250"]
    document = json.loads(export(voice, "json"))
    assert [{row["speaker"] for row in document[part]} for part in ("words", "passages", "turns")] == [{"voice 7"}] * 3


@settings(deadline=None, max_examples=30)
@given(recordings())
def test_exports_of_all_speakers_have_every_word_once(talk: Recording) -> None:
    labels = talk.word_speakers()
    known = {
        label: Speaker(f"voice {i}", voice=i) for i, label in enumerate(sorted({speaker for speaker in labels if speaker}))
    }
    parts = [
        spoken_by(replace(talk, names=Names(known)), SpeakerRef(speaker.shown, voice_id=speaker.voice))
        for speaker in known.values()
    ]
    words = [word for part in parts for word in part.words.text]
    assert sorted(words) == sorted(text for text, label in zip(talk.words.text, labels, strict=True) if label)
    assert ["".join(part.words.text).split() for part in parts] == [" ".join(part.passages.text).split() for part in parts]


@settings(deadline=None, max_examples=30)
@given(NAMES, NAMES)
@example("a --> b", "a\n\n00:00:01.000 --> 00:00:02.000\nb")
@example("None", '"Ana" <v Bob>, &amp;')
@example("Ana B", "Ana_B")
def test_no_name_breaks_srt_txt_or_json(first: str, second: str) -> None:
    talk = named(Names({"SPEAKER_00": Speaker(first, person=first), "SPEAKER_01": Speaker(second, person=second)}))
    cues = read_srt(export(talk, "srt"))
    assert export(talk, "srt").count("-->") == len(cues)
    texts = ["Is A < B & C?", "No.", "Naïve…"]
    assert " ".join(" ".join(cue.lines) for cue in cues).endswith("Unknown: Naïve…")
    if first != second:
        assert [" ".join(cue.lines)[-len(text) :] for cue, text in zip(cues, texts, strict=True)] == texts
    lines = export(talk, "txt").split("\n")[3:]
    assert [line[:10] for line in lines if line] == ["[0:00:00] ", "[0:00:03] ", "[0:01:00] "]
    document = json.loads(export(talk, "json"))
    assert [turn["person"] for turn in document["turns"]] == [first, second]


@pytest.mark.parametrize("length", [1, 12, 23, 24, 25, 100])
def test_long_name_is_cut_in_a_cue(length: int) -> None:
    name, words = "N" * length, [(index * 0.1, index * 0.1 + 0.1, " abcdefghijklmnopq") for index in range(12)]
    cues = read_srt(export(recording(words, [(0.0, 5.0, "S")], Names({"S": Speaker(name)})), "srt"))
    assert cues[0].words[0] == (f"{name}:" if length <= 24 else f"{'N' * 23}…:")
    assert max(len(cue.lines) for cue in cues) == 2


@settings(deadline=None, max_examples=30)
@given(recordings(), st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=100))
def test_cues_with_any_name_fit_the_screen(talk: Recording, name: str) -> None:
    known = replace(talk, names=Names({"SPEAKER_00": Speaker(name)}))
    for cue in read_srt(export(known, "srt")):
        assert len(cue.lines) <= 2
        assert all(len(line) <= MAX_LINE_LENGTH for line in cue.lines)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["Ana B", "Ana_B", "Ana B"], ["Ana_B", "Ana_B_", "Ana_B"]),
        (["None", "nan", "None_"], ["None_", "nan_", "None__"]),
        (['"', "\n", "_"], ["_", "__", "___"]),
    ],
)
def test_rttm_labels_are_distinct(names: list[str], labels: list[str]) -> None:
    turns = [(float(index), index + 0.5, f"S{index}") for index in range(len(names))]
    known = Names({f"S{index}": Speaker(name, person=name) for index, name in enumerate(names)})
    rttm = export(recording([], turns, known), "rttm")
    assert [line.split(" ")[7] for line in rttm.splitlines()] == labels


# --- every format --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", [name for name in FORMATS if name != "docx"])
def test_every_format_ends_in_a_newline(format_name: str) -> None:
    text = export(small(), format_name)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize(
    ("format_name", "text"),
    [("srt", ""), ("vtt", "WEBVTT\n"), ("txt", "A talk\nhttps://x/a.mp3\n"), ("rttm", ""), ("seglst", "[\n\n]\n")],
)
def test_silent_video_is_a_file_without_entries(format_name: str, text: str) -> None:
    assert export(recording([], []), format_name) == text


def test_turns_without_words_are_exported_as_turns() -> None:
    talk = recording([], [(0.0, 1.0, "SPEAKER_00")])
    assert export(talk, "rttm").startswith("SPEAKER generic-a-1 1 0.000 1.000 ")
    assert len(json.loads(export(talk, "json"))["turns"]) == 1
    assert export(talk, "srt") == ""
