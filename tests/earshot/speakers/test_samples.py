"""Enrolment samples: clean speech, spans and the verdict; and real recordings assess by real models."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import RecordingUnusable
from earshot.common.excerpt import FILE, VIDEO, Excerpt
from earshot.common.timeline import Interval
from earshot.config.settings import read_settings
from earshot.models import cache
from earshot.speakers.people.enrol import similar_people
from earshot.speakers.people.samples import Assessment, EnrolmentAudio, assess_pending, extract_samples
from earshot.speakers.tables.enrolments import profile_samples
from earshot.speakers.tables.people import add_enrolment, add_person, list_people, sync_people
from earshot.speakers.tables.voice_space import voice_space
from earshot.speakers.voices.cosine import mean_direction
from earshot.speakers.voices.enrolment_quality import (
    MAX_OTHER_SHARE,
    MAX_SAMPLES,
    MIN_SAMPLE_S,
    SAMPLE_S,
    EnrolmentVerdict,
    Quality,
    Speech,
    assess_quality,
    clean_speech,
    enrolment_spans,
    lowest_cosine,
)
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore, location_of, samples_sha256
from ingest_assets.stages.enrolment_models import EnrolmentModels
from tests.support import timing_rows
from tests.support.videos.voice_models import voice_models

Turn = tuple[float, float, str]
EAST, NORTH = np.eye(2, dtype=np.float32)
NOTHING = np.zeros((0, 2), dtype=np.float32)
LOUD = 0.1


def turns(*rows: Turn) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["start_s", "end_s", "local_speaker"])


def assess(speech: Speech, vectors: np.ndarray = NOTHING, level: float = LOUD) -> Quality:
    return assess_quality(speech, vectors, np.ones(len(vectors)), level)


def clean(seconds: float, other_s: float = 0.0) -> Speech:
    """Seconds of clean speech in one piece, and of another voice."""
    return Speech(((0.0, seconds),) if seconds else (), other_s, seconds + other_s)


# --- clean speech --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "excerpt", "forgotten", "speech"),
    [
        pytest.param(
            [(0, 10, "A"), (4, 6, "B"), (12, 15, "A"), (20, 23, "B")], (0.0, 30.0), [],
            Speech(((0, 4), (6, 10), (12, 15)), 5.0, 16.0), id="main voice alone",
        ),
        pytest.param(
            [(0, 10, "A"), (10, 14, "B"), (20, 30, "A")], (8.0, 20.5), [], Speech(((10, 14),), 2.5, 6.5), id="main voice there"
        ),
        pytest.param([(0, 3, "A"), (2, 5, "A"), (5, 6, "A")], (0.0, 9.0), [], Speech(((0, 6),), 0.0, 6.0), id="meeting turns"),
        pytest.param([(0, 0.9, "A"), (2, 3, "A")], (0.0, 9.0), [], Speech(((2, 3),), 0.0, 1.9), id="too short for a sample"),
        pytest.param(
            [(0, 10, "A"), (10, 14, "B")], (0.0, 14.0), [(2.0, 9.5), (12.0, 14.0)], Speech(((0, 2),), 2.0, 4.5), id="forgotten"
        ),
        pytest.param([], (0.0, 10.0), [], Speech((), 0.0, 0.0), id="no turns"),
        pytest.param([(20.0, 30.0, "A")], (0.0, 10.0), [], Speech((), 0.0, 0.0), id="turns elsewhere"),
    ],
)  # fmt: skip
def test_clean_speech(rows: list[Turn], excerpt: Interval, forgotten: list[Interval], speech: Speech) -> None:
    assert clean_speech(turns(*rows), excerpt, forgotten) == speech


TIMES = st.tuples(st.floats(0, 60), st.floats(0, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(deadline=None)
@given(st.lists(st.tuples(TIMES, st.sampled_from("ABC"))), TIMES)
def test_clean_speech_is_one_voice_in_the_excerpt(
    rows: list[tuple[tuple[float, float], str]], excerpt: tuple[float, float]
) -> None:
    speech = clean_speech(turns(*((*times, voice) for times, voice in rows)), excerpt)
    edges = [edge for times in speech.clean for edge in times]
    assert edges == sorted(edges)
    assert not edges or (excerpt[0] <= edges[0] and edges[-1] <= excerpt[1])
    assert speech.clean_s + speech.other_voice_s <= speech.speech_s + 1e-6
    for start, end in speech.clean:
        speaking = {voice for (first, last), voice in rows if first < end and start < last and last > first}
        assert len(speaking) == 1


# --- samples -------------------------------------------------------------------------------------------------------------


def test_clean_speech_is_cut_into_equal_samples() -> None:
    assert enrolment_spans([(1.0, 4.0), (10.0, 19.0)]) == [
        (16_000, 64_000),
        (160_000, 208_000),
        (208_000, 256_000),
        (256_000, 304_000),
    ]


@given(st.lists(st.floats(MIN_SAMPLE_S, 200.0), max_size=8))
def test_every_sample_is_inside_clean_speech(lengths: list[float]) -> None:
    starts = np.cumsum([0.0, *lengths[:-1]]) + np.arange(len(lengths)) if lengths else []
    clean = [(float(start), float(start + length)) for start, length in zip(starts, lengths, strict=True)]
    spans = enrolment_spans(clean)
    assert len(spans) <= MAX_SAMPLES
    assert spans == sorted(set(spans))
    for first, last in spans:
        assert MIN_SAMPLE_S * SAMPLE_RATE - 1 <= last - first <= SAMPLE_S * SAMPLE_RATE + 1
        assert any(start * SAMPLE_RATE - 1 <= first and last <= end * SAMPLE_RATE + 1 for start, end in clean)


def test_samples_spread_over_a_long_recording() -> None:
    spans = enrolment_spans([(0.0, 3600.0)])
    assert len(spans) == MAX_SAMPLES
    assert spans[0][0] == 0
    assert spans[-1][1] == 3600 * SAMPLE_RATE
    gaps = np.diff([first for first, _ in spans]) / SAMPLE_RATE
    assert gaps.max() - gaps.min() <= SAMPLE_S + 0.01


def test_profile_weighs_samples_by_seconds() -> None:
    assert mean_direction(np.array([EAST, NORTH]), np.array([3.0, 4.0])) == pytest.approx([0.6, 0.8])


def test_spread_is_lowest_cosine_to_the_mean() -> None:
    assert lowest_cosine(np.array([EAST, EAST, EAST, NORTH]), np.ones(4)) == pytest.approx(1 / np.sqrt(10))
    assert lowest_cosine(np.array([EAST]), np.ones(1)) is None
    assert lowest_cosine(NOTHING, np.ones(0)) is None


# --- the verdict ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speech", "verdict", "figures"),
    [
        (clean(2.99), "refused", ["2.9 s"]),
        (clean(3.0), "fair", ["3.0 s"]),
        (clean(9.9), "fair", ["9.9 s"]),
        (clean(10.0), "good", []),
        (clean(17.0, 3.0), "good", []),
        (clean(16.9, 3.1), "refused", ["16%"]),
        (clean(2.0, 3.0), "refused", ["2.0 s", "60%"]),
    ],
)
def test_verdict(speech: Speech, verdict: str, figures: list[str]) -> None:
    quality = assess(speech)
    assert quality.verdict == verdict
    assert bool(quality.reasons) == bool(figures)
    assert all(figure in quality.reasons for figure in figures)
    assert (quality.clean_s, quality.other_voice_s) == (speech.clean_s, speech.other_voice_s)


def test_dissimilar_samples_are_fair() -> None:
    quality = assess(clean(20.0), np.array([EAST, EAST, EAST, NORTH]))
    assert quality.verdict == "fair"
    assert "cosine 0.32" in quality.reasons
    assert quality.spread == pytest.approx(0.316, abs=0.001)
    assert assess(clean(20.0), np.array([EAST, EAST])).verdict == "good"


@pytest.mark.parametrize(("level", "reason"), [(0.0, "silent"), (0.0009, "silent"), (0.002, "music or noise")])
def test_silence_and_music_are_refused(level: float, reason: str) -> None:
    quality = assess(clean(0.0), level=level)
    assert (quality.verdict, quality.spread) == ("refused", None)
    assert reason in quality.reasons


# --- real recordings -----------------------------------------------------------------------------------------------------

Write = Callable[[str, np.ndarray], Path]
# A line of Beckett and the first sentences of the narrator, in the same voice.
BECKETT = Clip("moonshine_voice", "assets/beckett.wav")
NARRATOR = Clip("moonshine_voice", "assets/two_cities.wav", end_s=17.0)
# Two women; one speaks for 6 s, the other for 4 s.
CALL = Clip(TELEPHONE.package, TELEPHONE.path, start_s=14.0, end_s=25.0)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes float32 samples as a WAV file."""

    def write_file(name: str, samples: np.ndarray) -> Path:
        soundfile.write(tmp_path / name, samples, SAMPLE_RATE)
        return tmp_path / name

    return write_file


@pytest.fixture
def encoded_spans(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The spans that the real encoder encodes."""
    recorded: list[tuple[int, int]] = []
    encode = EnrolmentModels.encode

    def counting(self: EnrolmentModels, samples: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        recorded.extend(spans)
        return encode(self, samples, spans)

    monkeypatch.setattr(EnrolmentModels, "encode", counting)
    return recorded


def enrolled(database: Database, *enrolments: tuple[str, Excerpt]) -> dict[str, Assessment]:
    """Add these enrolments and assess the pending ones; returns an assessment for assessment name."""
    for name, excerpt in enrolments:
        with database.connect() as connection:
            add_enrolment(connection, add_person(database, name).person_id, excerpt, listed=False)
    names = {person.person_id: person.name for person in list_people(database)}
    return {names[assessment.enrolment.person_id]: assessment for assessment in assess_pending(database, voice_models())}


def quality(assessment: Assessment) -> Quality:
    assert assessment.problem == ""
    assert assessment.quality is not None
    return assessment.quality


def music(seconds: float) -> np.ndarray:
    """A chord with a tremolo."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * tone * times) for tone in (220.0, 277.2, 329.6, 440.0))
    return (0.05 * tones * (1 + 0.3 * np.sin(6 * np.pi * times))).astype(np.float32)


@pytest.fixture
def video(database: Database, home: Path) -> str:
    """A video of Beckett's line with two turns of one voice and one of another."""
    assert home.exists()
    samples = (clip_samples(BECKETT) * 32768.0).astype(np.int16)
    register(database, [Video("v-1", "/nowhere.wav", "/", "Beckett")])
    frame = turns((0.0, 5.0, "SPEAKER_01"), (5.5, 9.0, "SPEAKER_01"), (9.1, 9.5, "SPEAKER_00")).assign(overlap=False)
    frame.insert(0, "turn_index", range(len(frame)))
    audio = {"uri": MediaStore().write("v-1", samples), "samples_sha256": samples_sha256(samples)}
    size = {"samples": len(samples), "sample_rate": SAMPLE_RATE, "duration_s": len(samples) / SAMPLE_RATE, "downloader": "file"}
    database.replace("v-1", {"audio": pd.DataFrame([{**audio, **size}]), "turns": frame})
    timing_rows.keep(database, "speaker_turns", timing_rows.usual(), "v-1")
    return "v-1"


@pytest.mark.slow
def test_recordings_in_people_yaml_become_profiles(
    database: Database, write: Write, encoded_spans: list[tuple[int, int]], tmp_path: Path
) -> None:
    write("first narrator.wav", clip_samples(NARRATOR))
    write("the line.wav", clip_samples(BECKETT))
    (tmp_path / "people.yaml").write_text(
        "people:\n- name: Zoë 🎙️\n  samples: [{file: first narrator.wav}]\n"
        "- name: O'Brien\n  samples: [{file: the line.wav}, {file: gone.wav}, {video: gone, spans: [[0, 9]]}]\n",
        encoding="utf-8",
    )
    sync_people(database, replace(read_settings(), people=tmp_path / "people.yaml"))
    assessments = assess_pending(database, voice_models())
    by_file = {Path(assessment.enrolment.excerpt.recording).name: assessment for assessment in assessments}
    narrator, line = quality(by_file["first narrator.wav"]), quality(by_file["the line.wav"])
    assert (narrator.verdict, narrator.other_voice_s) == ("good", 0.0)
    assert narrator.clean_s == pytest.approx(12.4, abs=1.0)
    assert narrator.spread is not None
    assert 0.7 < narrator.spread < 1.0
    assert line.verdict == "fair"
    assert f"{tmp_path}/gone.wav" in by_file["gone.wav"].problem
    assert "video 'gone'" in by_file["gone"].problem

    samples = profile_samples(database, voice_space(read_settings()))
    assert samples.seconds.sum() == pytest.approx(narrator.clean_s + line.clean_s, abs=0.01)
    assert len(encoded_spans) == len(samples)
    ((first, second, cosine),) = similar_people(database)  # the narrator speaks in both
    assert {first.name, second.name} == {"Zoë 🎙️", "O'Brien"}
    assert cosine > 0.7

    encoded_spans.clear()
    again = assess_pending(database, voice_models())
    assert {assessment.problem for assessment in again} == {by_file["gone.wav"].problem, by_file["gone"].problem}
    assert encoded_spans == []

    # The same sound under another name is not computed again.
    enrolled(database, ("Copy", Excerpt(FILE, str(write("copy.wav", clip_samples(BECKETT))))))
    assert encoded_spans == []
    assert len(profile_samples(database, voice_space(read_settings()))) > len(samples)


@pytest.mark.slow
def test_two_voices_music_and_silence_are_refused_with_reasons(database: Database, write: Write) -> None:
    chord = music(11.0)
    line = clip_samples(BECKETT)
    files = {
        "Two": write("two.wav", clip_samples(CALL)),
        "Music": write("music.wav", chord),
        "Silence": write("silence.wav", np.zeros(5 * SAMPLE_RATE)),
        "Over music": write("over.wav", line + chord[: len(line)] * 0.05),
        "Moment": write("moment.wav", line[: 2 * SAMPLE_RATE]),
    }
    assessments = enrolled(database, *((name, Excerpt(FILE, str(path))) for name, path in files.items()))
    two = quality(assessments["Two"])
    assert two.verdict == "refused"
    assert two.other_voice_s / (two.clean_s + two.other_voice_s) > MAX_OTHER_SHARE
    assert "another voice" in two.reasons
    for name, word in (("Music", "music"), ("Silence", "silent")):
        refused = quality(assessments[name])
        assert word in refused.reasons
        assert refused == Quality(EnrolmentVerdict.REFUSED, refused.reasons, 0.0, 0.0, None)
    assert quality(assessments["Over music"]).verdict == "fair"
    assert "at least 3 s" in quality(assessments["Moment"]).reasons
    kept = profile_samples(database, voice_space(read_settings()))
    assert kept.person_id.unique().tolist() == [assessments["Over music"].enrolment.person_id]


@pytest.mark.slow
def test_part_of_a_file_is_judged_alone(database: Database, write: Write) -> None:
    sound = np.concatenate([music(6.0), clip_samples(BECKETT)])
    path = str(write("mixed.wav", sound))
    inside, before = Excerpt(FILE, path, 6.0, 12.0), Excerpt(FILE, path, 0.0, 5.0)
    beyond, after = Excerpt(FILE, path, 10.0, 99.0), Excerpt(FILE, path, 20.0)
    assessments = enrolled(database, ("Inside", inside), ("Before", before), ("Beyond", beyond), ("After", after))
    assert quality(assessments["Inside"]).verdict == "fair"
    assert "music" in quality(assessments["Before"]).reasons
    assert all(word in assessments["Beyond"].problem for word in ("0:10-1:39", path, "0:15.963"))
    assert "0:20-end" in assessments["After"].problem
    rows = database.query("SELECT first_sample, last_sample FROM enrolment_samples ORDER BY 1")
    assert rows[0]["first_sample"] == pytest.approx(6 * SAMPLE_RATE, abs=SAMPLE_RATE / 5)
    assert rows[-1]["last_sample"] <= 12 * SAMPLE_RATE


@pytest.mark.slow
def test_video_is_enrolled_by_its_stored_turns(database: Database, video: str, encoded_spans: list[tuple[int, int]]) -> None:
    whole, end = Excerpt(VIDEO, video, 0.0, 5.2), Excerpt(VIDEO, video, 5.5, 9.963)
    assessments = enrolled(database, ("Whole", whole), ("End", end))
    whole_quality = quality(assessments["Whole"])
    assert (whole_quality.verdict, whole_quality.clean_s, whole_quality.other_voice_s) == (EnrolmentVerdict.FAIR, 5.0, 0.0)
    assert whole_quality.spread == pytest.approx(0.9, abs=0.1)
    assert (quality(assessments["End"]).clean_s, quality(assessments["End"]).other_voice_s) == (3.5, pytest.approx(0.4))
    assert sorted(encoded_spans) == [(0, 40_000), (0, 56_000), (40_000, 80_000)], "relative to each excerpt"
    rows = database.query("SELECT first_sample, last_sample FROM enrolment_samples ORDER BY 1")
    assert [tuple(row.values()) for row in rows] == [(0, 40_000), (40_000, 80_000), (88_000, 144_000)]

    database.query("DELETE FROM enrolments")
    database.query("INSERT INTO forgotten_spans VALUES (%s, 0.0, 4.5)", [video])
    assessments = enrolled(database, ("Whole", whole))
    assert (quality(assessments["Whole"]).verdict, quality(assessments["Whole"]).clean_s) == (EnrolmentVerdict.REFUSED, 0.0)
    assert database.query("SELECT * FROM enrolment_samples") == []


def test_video_without_audio_stays_pending(database: Database, video: str) -> None:
    register(database, [Video("v-2", "/v2", "/", "Two")])
    excerpts = [("One", Excerpt(VIDEO, video, 0.0, 5.0)), ("Two", Excerpt(VIDEO, "v-2", 0.0, 5.0))]
    location_of(database.frame("audio", video, "uri").uri.iloc[0]).unlink()
    for _ in range(2):
        assessments = enrolled(database, *excerpts)
        assert "earshot backfill audio --video v-1" in (assessments["One"].problem or "")
        assert assessments["Two"].problem.startswith("v-2 is not ingested")
    database.query("DELETE FROM asset_timings")
    assert enrolled(database, excerpts[0])["One"].problem.startswith("v-1 is not ingested")


@pytest.mark.parametrize("name", ["empty.wav", "text.wav", "folder.wav"])
def test_unreadable_file_does_not_stop_the_others(database: Database, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("This is not sound.\n" * 200)
    (tmp_path / "folder.wav").mkdir()
    gone = Excerpt(FILE, str(tmp_path / "zzz.wav"))
    assessments = enrolled(database, ("Bad", Excerpt(FILE, str(tmp_path / name))), ("Gone", gone))
    assert name in assessments["Bad"].problem
    assert "There is no file" in assessments["Gone"].problem
    assert database.query("SELECT * FROM enrolment_judgements") == []


@pytest.mark.parametrize(("start", "end"), [(10.0, None), (0.0, 10.6), (11.0, 12.0)])
def test_times_beyond_the_end_load_no_model(database: Database, start: float, end: float | None) -> None:
    recording = EnrolmentAudio(np.zeros(10 * SAMPLE_RATE, dtype=np.int16), "aa", turns())
    space, loads, models = voice_space(read_settings()), cache.loads(), voice_models()
    with pytest.raises(RecordingUnusable, match="0:10 long"):
        extract_samples(database, space, recording, Excerpt(FILE, "/a.wav", start, end), models)
    rounded, _ = extract_samples(database, space, recording, Excerpt(FILE, "/a.wav", 1.0, 10.4), models)
    assert "silent" in rounded.reasons
    assert cache.loads() == loads
