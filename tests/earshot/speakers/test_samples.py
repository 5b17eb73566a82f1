"""What an excerpt is worth: clean speech, samples and the verdict; and recordings of real voices, judged by real models."""

from collections.abc import Callable
from dataclasses import astuple, replace
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
from earshot.config.settings import read_settings
from earshot.models import cache
from earshot.models.voice.voice_encoder import VoiceEncoder
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
    Quality,
    Speech,
    Verdict,
    assess_quality,
    clean_speech,
    enrolment_spans,
    lowest_cosine,
)
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore, location_of, samples_sha256
from tests.support import timing_rows

Turn = tuple[float, float, str]
EAST, NORTH = np.eye(2, dtype=np.float32)
NOTHING = np.zeros((0, 2), dtype=np.float32)
LOUD = 0.1


def turns(*rows: Turn) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["start_s", "end_s", "local_speaker"])


def judged(speech: Speech, vectors: np.ndarray = NOTHING, level: float = LOUD) -> Quality:
    return assess_quality(speech, vectors, np.ones(len(vectors)), level)


def alone(seconds: float, other_s: float = 0.0) -> Speech:
    """Seconds of clean speech in one piece, and of another voice."""
    return Speech(((0.0, seconds),) if seconds else (), other_s, seconds + other_s)


# --- clean speech --------------------------------------------------------------------------------------------------------


def test_clean_is_what_the_main_voice_says_alone() -> None:
    found = clean_speech(turns((0, 10, "A"), (4, 6, "B"), (12, 15, "A"), (20, 23, "B")), (0.0, 30.0))
    assert found == Speech(((0, 4), (6, 10), (12, 15)), 5.0, 16.0)


def test_only_the_excerpt_counts_and_its_own_main_voice() -> None:
    found = clean_speech(turns((0, 10, "A"), (10, 14, "B"), (20, 30, "A")), (8.0, 20.5))
    assert found == Speech(((10, 14),), 2.5, 6.5)


def test_turns_of_one_voice_that_meet_or_overlap_are_one() -> None:
    assert clean_speech(turns((0, 3, "A"), (2, 5, "A"), (5, 6, "A")), (0.0, 9.0)).clean == ((0, 6),)


def test_speech_too_short_for_a_sample_is_not_clean_but_heard() -> None:
    assert clean_speech(turns((0, 0.9, "A"), (2, 3, "A")), (0.0, 9.0)) == Speech(((2, 3),), 0.0, 1.9)


def test_what_was_forgotten_is_neither_used_nor_heard() -> None:
    found = clean_speech(turns((0, 10, "A"), (10, 14, "B")), (0.0, 14.0), [(2.0, 9.5), (12.0, 14.0)])
    assert found == Speech(((0, 2),), 2.0, 4.5)


@pytest.mark.parametrize("rows", [[], [(20.0, 30.0, "A")]])
def test_an_excerpt_without_turns_has_no_speech(rows: list[Turn]) -> None:
    assert clean_speech(turns(*rows), (0.0, 10.0)) == Speech((), 0.0, 0.0)


TIMES = st.tuples(st.floats(0, 60), st.floats(0, 20)).map(lambda each: (each[0], each[0] + each[1]))


@settings(deadline=None)
@given(st.lists(st.tuples(TIMES, st.sampled_from("ABC"))), TIMES)
def test_clean_speech_lies_in_the_excerpt_in_order_and_in_one_voices_turns(
    rows: list[tuple[tuple[float, float], str]], excerpt: tuple[float, float]
) -> None:
    found = clean_speech(turns(*((*times, voice) for times, voice in rows)), excerpt)
    edges = [edge for times in found.clean for edge in times]
    assert edges == sorted(edges)
    assert not edges or (excerpt[0] <= edges[0] and edges[-1] <= excerpt[1])
    assert found.clean_s + found.other_voice_s <= found.speech_s + 1e-6
    for start, end in found.clean:
        speaking = {voice for (first, last), voice in rows if first < end and start < last and last > first}
        assert len(speaking) == 1


# --- samples -------------------------------------------------------------------------------------------------------------


def test_clean_speech_is_cut_into_equal_samples_of_four_seconds_at_most() -> None:
    assert enrolment_spans([(1.0, 4.0), (10.0, 19.0)]) == [
        (16_000, 64_000),
        (160_000, 208_000),
        (208_000, 256_000),
        (256_000, 304_000),
    ]


@given(st.lists(st.floats(MIN_SAMPLE_S, 200.0), max_size=8))
def test_every_sample_is_of_one_to_four_seconds_inside_clean_speech(lengths: list[float]) -> None:
    starts = np.cumsum([0.0, *lengths[:-1]]) + np.arange(len(lengths)) if lengths else []
    clean = [(float(start), float(start + length)) for start, length in zip(starts, lengths, strict=True)]
    spans = enrolment_spans(clean)
    assert len(spans) <= MAX_SAMPLES
    assert spans == sorted(set(spans))
    for first, last in spans:
        assert MIN_SAMPLE_S * SAMPLE_RATE - 1 <= last - first <= SAMPLE_S * SAMPLE_RATE + 1
        assert any(start * SAMPLE_RATE - 1 <= first and last <= end * SAMPLE_RATE + 1 for start, end in clean)


def test_of_a_long_recording_samples_from_all_over_it_are_taken() -> None:
    spans = enrolment_spans([(0.0, 3600.0)])
    assert len(spans) == MAX_SAMPLES
    assert spans[0][0] == 0
    assert spans[-1][1] == 3600 * SAMPLE_RATE
    gaps = np.diff([first for first, _ in spans]) / SAMPLE_RATE
    assert gaps.max() - gaps.min() <= SAMPLE_S + 0.01


def test_a_profile_weighs_samples_by_their_seconds() -> None:
    assert mean_direction(np.array([EAST, NORTH]), np.array([3.0, 4.0])) == pytest.approx([0.6, 0.8])


def test_spread_is_the_lowest_cosine_of_a_sample_to_their_mean() -> None:
    assert lowest_cosine(np.array([EAST, EAST, EAST, NORTH]), np.ones(4)) == pytest.approx(1 / np.sqrt(10))
    assert lowest_cosine(np.array([EAST]), np.ones(1)) is None
    assert lowest_cosine(NOTHING, np.ones(0)) is None


# --- the verdict ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speech", "verdict", "reasons"),
    [
        (alone(2.99), "refused", "2.9 s of clean speech, at least 3 s are needed"),
        (alone(2.9), "refused", "2.9 s of clean speech, at least 3 s are needed"),
        (alone(3.0), "fair", "3.0 s of clean speech; 10 s or more is better"),
        (alone(9.9), "fair", "9.9 s of clean speech; 10 s or more is better"),
        (alone(10.0), "good", ""),
        (alone(17.0, 3.0), "good", ""),
        (alone(16.9, 3.1), "refused", "another voice speaks in 16% of its speech (at most 15% allowed)"),
        (
            alone(2.0, 3.0),
            "refused",
            "2.0 s of clean speech, at least 3 s are needed; another voice speaks in 60% of its speech (at most 15% allowed)",
        ),
    ],
)
def test_the_verdict_follows_from_clean_speech_and_from_another_voice(speech: Speech, verdict: str, reasons: str) -> None:
    found = judged(speech)
    assert (found.verdict, found.reasons) == (verdict, reasons)
    assert (found.clean_s, found.other_voice_s) == (speech.clean_s, speech.other_voice_s)


def test_samples_that_lie_far_apart_make_it_fair() -> None:
    found = judged(alone(20.0), np.array([EAST, EAST, EAST, NORTH]))
    assert found.verdict == "fair"
    assert found.reasons == "its samples differ widely (cosine 0.32 to their mean, below 0.7): a second voice, or noise"
    assert found.spread == pytest.approx(0.316, abs=0.001)
    assert judged(alone(20.0), np.array([EAST, EAST])).verdict == "good"


@pytest.mark.parametrize(
    ("level", "reason"),
    [(0.0, "it is silent"), (0.0009, "it is silent"), (0.002, "there is no speech in it, only music or noise")],
)
def test_without_speech_it_is_told_whether_there_is_any_sound(level: float, reason: str) -> None:
    found = judged(alone(0.0), level=level)
    assert (found.verdict, found.reasons, found.spread) == ("refused", reason, None)


# --- real recordings -----------------------------------------------------------------------------------------------------

Write = Callable[[str, np.ndarray], Path]
# Two sentences of a line of Beckett, and the first sentences of the narrator; these two are one voice.
BECKETT = Clip("moonshine_voice", "assets/beckett.wav")
NARRATOR = Clip("moonshine_voice", "assets/two_cities.wav", end_s=17.0)
# Two women, of which one speaks for 6 s, the other for 4.
CALL = Clip(TELEPHONE.package, TELEPHONE.path, start_s=14.0, end_s=25.0)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes float32 samples as a WAV file."""

    def written(name: str, samples: np.ndarray) -> Path:
        soundfile.write(tmp_path / name, samples, SAMPLE_RATE)
        return tmp_path / name

    return written


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The spans that the real encoder was asked for."""
    asked: list[tuple[int, int]] = []
    encode = VoiceEncoder.encode

    def counting(self: VoiceEncoder, samples: np.ndarray, spans: list[tuple[int, int]]) -> np.ndarray:
        if samples.any():  # the warm-up of a model that is loaded meanwhile is silence
            asked.extend(spans)
        return encode(self, samples, spans)

    monkeypatch.setattr(VoiceEncoder, "encode", counting)
    return asked


def enrolled(database: Database, *enrolments: tuple[str, Excerpt]) -> dict[str, Assessment]:
    """Add these enrolments and judge what is pending; a judgement of each name."""
    for name, excerpt in enrolments:
        with database.connect() as connection:
            add_enrolment(connection, add_person(database, name).person_id, excerpt, listed=False)
    names = {person.person_id: person.name for person in list_people(database)}
    return {names[each.enrolment.person_id]: each for each in assess_pending(database)}


def quality(judgement: Assessment) -> Quality:
    assert judgement.problem == ""
    assert judgement.quality is not None
    return judgement.quality


def music(seconds: float) -> np.ndarray:
    """A chord with a tremolo."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * tone * times) for tone in (220.0, 277.2, 329.6, 440.0))
    return (0.05 * tones * (1 + 0.3 * np.sin(6 * np.pi * times))).astype(np.float32)


@pytest.fixture
def video(database: Database, home: Path) -> str:
    """A video with audio and turns: Beckett's line, taken for two turns of one voice, and one of somebody else."""
    assert home.exists()
    samples = (clip_samples(BECKETT) * 32768.0).astype(np.int16)
    register(database, [Video("v-1", "/nowhere.wav", "/", "Beckett")])
    frame = turns((0.0, 5.0, "SPEAKER_01"), (5.5, 9.0, "SPEAKER_01"), (9.1, 9.5, "SPEAKER_00")).assign(overlap=False)
    frame.insert(0, "turn_index", range(len(frame)))
    about = {"uri": MediaStore().write("v-1", samples), "samples_sha256": samples_sha256(samples)}
    size = {"samples": len(samples), "sample_rate": SAMPLE_RATE, "duration_s": len(samples) / SAMPLE_RATE, "downloader": "file"}
    database.replace("v-1", {"audio": pd.DataFrame([{**about, **size}]), "turns": frame})
    timing_rows.keep(database, "speaker_turns", timing_rows.usual(), "v-1")
    return "v-1"


@pytest.mark.slow
def test_recordings_of_people_become_profiles_by_way_of_the_file(
    database: Database, write: Write, encoded: list[tuple[int, int]], tmp_path: Path
) -> None:
    write("one narrator.wav", clip_samples(NARRATOR))
    write("the line.wav", clip_samples(BECKETT))
    (tmp_path / "people.yaml").write_text(
        "people:\n- name: Zoë 🎙️\n  samples: [{file: one narrator.wav}]\n"
        "- name: O'Brien\n  samples: [{file: the line.wav}, {file: gone.wav}, {video: gone, spans: [[0, 9]]}]\n",
        encoding="utf-8",
    )
    sync_people(database, replace(read_settings(), people=tmp_path / "people.yaml"))
    found = assess_pending(database)
    by_place = {Path(each.enrolment.excerpt.recording).name: each for each in found}
    narrator, line = quality(by_place["one narrator.wav"]), quality(by_place["the line.wav"])
    assert (narrator.verdict, narrator.other_voice_s) == ("good", 0.0)
    assert narrator.clean_s == pytest.approx(12.4, abs=1.0)
    assert narrator.spread is not None
    assert 0.7 < narrator.spread < 1.0
    clean_s = int(line.clean_s * 10) / 10  # rounded down
    assert (line.verdict, line.reasons) == ("fair", f"{clean_s:.1f} s of clean speech; 10 s or more is better")
    assert by_place["gone.wav"].problem.startswith(f"There is no file {tmp_path}/gone.wav")
    assert by_place["gone"].problem.startswith("There is no video 'gone'")

    kept = profile_samples(database, voice_space(read_settings()))
    assert kept.seconds.sum() == pytest.approx(narrator.clean_s + line.clean_s, abs=0.01)
    assert len(encoded) == len(kept)
    ((one, other, cosine),) = similar_people(database)  # the narrator speaks in both
    assert {one.name, other.name} == {"Zoë 🎙️", "O'Brien"}
    assert cosine > 0.7

    encoded.clear()
    again = assess_pending(database)
    assert {each.problem for each in again} == {by_place["gone.wav"].problem, by_place["gone"].problem}
    assert encoded == []

    # The same sound under another name is not computed again.
    enrolled(database, ("Somebody else", Excerpt(FILE, str(write("copy.wav", clip_samples(BECKETT))))))
    assert encoded == []
    assert len(profile_samples(database, voice_space(read_settings()))) > len(kept)


@pytest.mark.slow
def test_two_voices_music_and_silence_are_refused_and_say_why(database: Database, write: Write) -> None:
    chord = music(11.0)
    line = clip_samples(BECKETT)
    files = {
        "Two": write("two.wav", clip_samples(CALL)),
        "Music": write("music.wav", chord),
        "Silence": write("silence.wav", np.zeros(5 * SAMPLE_RATE)),
        "Over music": write("over.wav", line + chord[: len(line)] * 0.05),
        "Moment": write("moment.wav", line[: 2 * SAMPLE_RATE]),
    }
    found = enrolled(database, *((name, Excerpt(FILE, str(path))) for name, path in files.items()))
    two = quality(found["Two"])
    assert two.verdict == "refused"
    assert two.other_voice_s / (two.clean_s + two.other_voice_s) > MAX_OTHER_SHARE
    assert "another voice speaks in" in two.reasons
    assert quality(found["Music"]) == Quality(Verdict.REFUSED, "there is no speech in it, only music or noise", 0.0, 0.0, None)
    assert quality(found["Silence"]) == Quality(Verdict.REFUSED, "it is silent", 0.0, 0.0, None)
    assert quality(found["Over music"]).verdict == "fair"
    assert quality(found["Moment"]).reasons.endswith("s of clean speech, at least 3 s are needed")
    kept = profile_samples(database, voice_space(read_settings()))
    assert kept.person_id.unique().tolist() == [found["Over music"].enrolment.person_id]


@pytest.mark.slow
def test_a_part_of_a_file_is_judged_by_what_is_in_that_part(database: Database, write: Write) -> None:
    sound = np.concatenate([music(6.0), clip_samples(BECKETT)])
    path = str(write("mixed.wav", sound))
    inside, before = Excerpt(FILE, path, 6.0, 12.0), Excerpt(FILE, path, 0.0, 5.0)
    beyond, after = Excerpt(FILE, path, 10.0, 99.0), Excerpt(FILE, path, 20.0)
    found = enrolled(database, ("Inside", inside), ("Before", before), ("Beyond", beyond), ("After", after))
    assert quality(found["Inside"]).verdict == "fair"
    assert quality(found["Before"]).reasons == "there is no speech in it, only music or noise"
    assert found["Beyond"].problem.startswith(f"0:10-1:39 is beyond the end of {path}, which is 0:15.963 long")
    assert "0:20-end is beyond the end" in found["After"].problem
    rows = database.query("SELECT first_sample, last_sample FROM enrolment_samples ORDER BY 1")
    assert rows[0]["first_sample"] == pytest.approx(6 * SAMPLE_RATE, abs=SAMPLE_RATE / 5)
    assert rows[-1]["last_sample"] <= 12 * SAMPLE_RATE


@pytest.mark.slow
def test_a_video_is_enrolled_by_its_stored_turns_but_for_what_was_forgotten(
    database: Database, video: str, encoded: list[tuple[int, int]]
) -> None:
    whole, end = Excerpt(VIDEO, video, 0.0, 5.2), Excerpt(VIDEO, video, 5.5, 9.963)
    found = enrolled(database, ("Whole", whole), ("End", end))
    reasons, spread = "5.0 s of clean speech; 10 s or more is better", pytest.approx(0.9, abs=0.1)
    assert astuple(quality(found["Whole"])) == (Verdict.FAIR, reasons, 5.0, 0.0, spread)
    assert (quality(found["End"]).clean_s, quality(found["End"]).other_voice_s) == (3.5, pytest.approx(0.4))
    assert sorted(encoded) == [(0, 40_000), (0, 56_000), (40_000, 80_000)], "relative to each excerpt"
    rows = database.query("SELECT first_sample, last_sample FROM enrolment_samples ORDER BY 1")
    assert [tuple(row.values()) for row in rows] == [(0, 40_000), (40_000, 80_000), (88_000, 144_000)]

    database.query("DELETE FROM enrolments")
    database.query("INSERT INTO forgotten_spans VALUES (%s, 0.0, 4.5)", [video])
    found = enrolled(database, ("Whole", whole))
    assert quality(found["Whole"]).reasons == "0.0 s of clean speech, at least 3 s are needed"
    assert database.query("SELECT * FROM enrolment_samples") == []


def test_a_video_that_is_not_ingested_or_has_lost_its_audio_is_told_and_stays_pending(database: Database, video: str) -> None:
    register(database, [Video("v-2", "/v2", "/", "Two")])
    excerpts = [("One", Excerpt(VIDEO, video, 0.0, 5.0)), ("Two", Excerpt(VIDEO, "v-2", 0.0, 5.0))]
    location_of(database.frame("audio", video, "uri").uri.iloc[0]).unlink()
    for _ in range(2):
        found = enrolled(database, *excerpts)
        assert "earshot backfill audio --video v-1" in (found["One"].problem or "")
        assert found["Two"].problem.startswith("v-2 is not ingested (state new)")
    database.query("DELETE FROM asset_timings")
    assert enrolled(database, excerpts[0])["One"].problem.startswith("v-1 is not ingested")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty.wav", "empty.wav is empty (0 bytes)."),
        ("text.wav", "text.wav cannot be read as audio or video"),
        ("folder.wav", "folder.wav"),
    ],
)
def test_a_file_that_is_no_recording_is_told_and_the_others_go_on(
    database: Database, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("This is not sound.\n" * 200)
    (tmp_path / "folder.wav").mkdir()
    gone = Excerpt(FILE, str(tmp_path / "zzz.wav"))
    found = enrolled(database, ("Bad", Excerpt(FILE, str(tmp_path / name))), ("Gone", gone))
    assert said in found["Bad"].problem
    assert "There is no file" in found["Gone"].problem
    assert database.query("SELECT * FROM enrolment_judgements") == []


@pytest.mark.parametrize(("start", "end"), [(10.0, None), (0.0, 10.6), (11.0, 12.0)])
def test_times_beyond_the_end_are_refused_before_anything_is_loaded(
    database: Database, start: float, end: float | None
) -> None:
    recording = EnrolmentAudio(np.zeros(10 * SAMPLE_RATE, dtype=np.int16), "aa", turns())
    space, loads = voice_space(read_settings()), cache.loads()
    with pytest.raises(RecordingUnusable, match="which is 0:10 long"):
        extract_samples(database, space, recording, Excerpt(FILE, "/a.wav", start, end))
    rounded, _ = extract_samples(database, space, recording, Excerpt(FILE, "/a.wav", 1.0, 10.4))
    assert rounded.reasons == "it is silent"
    assert cache.loads() == loads
