"""Identification against the truth: the episodes of bench/corpora/voice_episodes.py through the real pipeline and models.

One library for all tests: the assets decode, diarize and embed eight episodes, two people are enrolled, and all speakers are
identified. bench/corpora/voice_episodes.py describes the cast, and how far it stands for real people. `python -m bench.people`
measures the ten minutes with eight speakers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from dagster import DagsterInstance

from bench.corpora.voice_episodes import CAST, ENROLLED, EPISODES, compose, error_rate, people_of, stretches
from bench.people.people import JudgedSpeaker, centroid_scores, compose_library, identified_speakers, judge, second_run
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import read_settings
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.voice_space import thresholds
from earshot.storage.database import Database
from resources.instance.home import open_instance

slow = pytest.mark.slow
UNKNOWN_TO_ALL = {"anna", "nagg", "high narrator", "berta"}


@dataclass(frozen=True)
class Heard:
    """The library with all speakers identified: the truth by video, and the local speakers."""

    database: Database
    instance: DagsterInstance
    truths: dict[str, pd.DataFrame]
    speakers: list[JudgedSpeaker]

    def of(self, episode: str) -> list[JudgedSpeaker]:
        """The local speakers of one episode who speak long enough to be identified."""
        video_id = list(self.truths)[[each.name for each in EPISODES].index(episode)]
        return [speaker for speaker in self.speakers if speaker.video_id == video_id and speaker.clear_s >= 2.0]

    def of_person(self, person: str) -> list[JudgedSpeaker]:
        return [speaker for speaker in self.speakers if speaker.person == person and speaker.clear_s >= 2.0]


@pytest.fixture(scope="module")
def heard(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    folder = tmp_path_factory.mktemp("people")
    with library.connect() as connection:
        connection.execute("TRUNCATE videos, sources, people, corrections, voices, voice_thresholds CASCADE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARSHOT_PEOPLE", str(folder / "people.yaml"))
        instance = open_instance()
        truths = compose_library(folder, library, instance)
        identify(library)
        yield Heard(library, instance, truths, identified_speakers(library, truths))


# --- composing -----------------------------------------------------------------------------------------------------------


def test_truth_of_an_episode_is_where_speech_is() -> None:
    episode = replace(EPISODES[0], spoiling=type(EPISODES[0].spoiling)())
    samples, truth = compose(episode)
    assert truth.start_s.is_monotonic_increasing
    assert (truth.end_s.to_numpy()[:-1] < truth.start_s.to_numpy()[1:]).all()
    spoken = np.zeros(len(samples), dtype=bool)
    for start, end in truth[["start_s", "end_s"]].itertuples(index=False):
        spoken[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] = True
    assert np.abs(samples[~spoken]).max() == 0.0
    assert np.sqrt(np.mean(samples[spoken] ** 2)) == pytest.approx(0.06, rel=0.05)


def test_no_stretch_is_in_two_episodes() -> None:
    spoken = [(line.voice, index) for episode in EPISODES for line in episode.lines for index in range(line.first, line.last)]
    assert len(spoken) == len(set(spoken))
    assert all(index < len(stretches(voice)) for voice, index in spoken)


def test_noise_has_its_stated_level() -> None:
    noisy = next(episode for episode in EPISODES if episode.name == "noisy")
    clean, truth = compose(replace(noisy, spoiling=type(noisy.spoiling)()))
    spoiled, _ = compose(noisy)
    noise = spoiled / 10 ** (-12.0 / 20) - clean
    speech = clean[clean != 0.0]
    ratio = 20 * np.log10(np.sqrt(np.mean(speech**2)) / np.sqrt(np.mean(noise**2)))
    assert ratio == pytest.approx(20.0, abs=0.2)
    assert set(truth.person) == {"narrator", "nagg"}


def test_made_voice_is_a_recording_at_another_speed() -> None:
    for name, base in (("deep narrator", "narrator"), ("high narrator", "narrator"), ("high anna", "anna")):
        assert CAST[name].made
        assert not CAST[base].made
        lengths = [len(part) for part in stretches(name)]
        expected = [len(part) / float(CAST[name].speed) for part in stretches(base)]
        assert lengths == pytest.approx(expected, abs=2)


def test_speakers_are_matched_by_shared_time() -> None:
    truth = pd.DataFrame([(0.0, 4.0, "anna"), (4.0, 9.0, "berta")], columns=["start_s", "end_s", "person"])
    rows = [(0.0, 3.9, "S0"), (3.9, 9.0, "S1"), (20.0, 21.0, "S2")]
    turns = pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker"])
    assert people_of(turns, truth) == {"S0": "anna", "S1": "berta", "S2": ""}
    assert error_rate(turns[:2], truth) == pytest.approx(0.0, abs=0.01)
    assert error_rate(turns.assign(local_speaker="S0")[:2], truth) > 0.3


def test_verdict_counts_mistakes() -> None:
    def speaker(video: str, person: str, taken_for: str, clear_s: float = 5.0) -> JudgedSpeaker:
        return JudgedSpeaker(video, "S0", person, clear_s, taken_for, "profile", "")

    verdict = judge(
        [
            speaker("a", "narrator", "narrator"),
            speaker("b", "narrator", "voice 1"),
            speaker("a", "anna", "narrator"),
            speaker("a", "nagg", "voice 2"),
            speaker("b", "nagg", "voice 2"),
            speaker("c", "nagg", "", clear_s=1.0),
            speaker("c", "", "voice 3"),
            speaker("c", "berta", "voice 2"),
        ]
    )
    assert (verdict.speakers, verdict.named, verdict.false_accepts, verdict.false_rejects, verdict.unknown) == (6, 2, 1, 1, 0)
    assert (verdict.recurring, verdict.not_joined) == (("nagg", "narrator"), ("narrator",))
    assert verdict.merged == (("anna", "narrator"), ("berta", "nagg"))


# --- identification ------------------------------------------------------------------------------------------------------


@slow
def test_every_recurring_speaker_is_joined(heard: Heard) -> None:
    verdict = judge(heard.speakers)
    assert verdict.recurring == ("anna", "deep narrator", "high narrator", "nagg", "narrator")
    assert verdict.not_joined == (), heard.speakers
    assert verdict.unknown == 0


@slow
def test_no_two_people_are_merged(heard: Heard) -> None:
    assert judge(heard.speakers).merged == (), heard.speakers


@slow
@pytest.mark.parametrize("person", ENROLLED)
def test_enrolled_person_is_named_in_every_episode(heard: Heard, person: str) -> None:
    speakers = heard.of_person(person)
    assert len({speaker.video_id for speaker in speakers}) >= 3
    assert {(speaker.taken_for, speaker.decided_by) for speaker in speakers} == {(person, "profile")}


@slow
@pytest.mark.parametrize("person", sorted(UNKNOWN_TO_ALL))
def test_unenrolled_voice_stays_unnamed(heard: Heard, person: str) -> None:
    speakers = heard.of_person(person)
    assert speakers
    assert all(speaker.taken_for.startswith("voice ") for speaker in speakers), speakers


@slow
def test_similar_voices_of_one_video_stay_apart(heard: Heard) -> None:
    names = {speaker.person: speaker.taken_for for speaker in heard.of("similar")}
    assert set(names) == {"anna", "berta"}
    assert names["anna"] != names["berta"]
    assert names["anna"] == heard.of_person("anna")[0].taken_for


@slow
def test_single_speaker_is_named(heard: Heard) -> None:
    assert [speaker.taken_for for speaker in heard.of("alone")] == ["narrator"]


@slow
def test_music_is_not_identified(heard: Heard) -> None:
    music = list(heard.truths)[-1]
    assert EPISODES[-1].name == "music"
    named = heard.database.query("SELECT 1 FROM identities WHERE video_id = %s AND person_id IS NOT NULL", [music])
    assert named == []
    done = heard.database.query("SELECT asset FROM asset_timings WHERE video_id = %s", [music])
    assert {row["asset"] for row in done} == {"audio", "speaker_turns", "voice_embeddings"}


@slow
def test_speech_over_music_is_named(heard: Heard) -> None:
    assert {speaker.person: speaker.taken_for for speaker in heard.of("over music")} == {name: name for name in ENROLLED}


@slow
def test_threshold_separates_people_between_episodes(heard: Heard) -> None:
    same, different = centroid_scores(heard.database, heard.truths)
    threshold = thresholds(heard.database, read_settings()).threshold
    assert len(same) >= 12
    assert len(different) >= 50
    print(f"one person: lowest {same[0]:.3f}; two people: highest {different[-3:]}; threshold {threshold}")
    assert np.mean(different >= threshold) <= 0.02
    assert np.mean(same < threshold) <= 0.05


@slow
def test_turns_match_the_truth(heard: Heard) -> None:
    rates = {
        episode.name: error_rate(heard.database.frame("turns", video_id, "turn_index"), truth)
        for episode, (video_id, truth) in zip(EPISODES, heard.truths.items(), strict=True)
        if len(truth)
    }
    print(f"DER: { {name: round(rate, 3) for name, rate in rates.items()} }")
    assert max(rates.values()) <= 0.15, rates


@slow
def test_second_run_takes_every_vector_from_cache(heard: Heard) -> None:
    again = second_run(heard.database, heard.instance, list(heard.truths))
    assert again["cache_misses"] == 0.0
    assert again["cache_hits"] >= 40.0


@slow
def test_identification_from_scratch_gives_the_same_speakers(heard: Heard) -> None:
    with heard.database.connect() as connection:
        connection.execute("DELETE FROM identities")
    identify(heard.database, full=True)
    again = identified_speakers(heard.database, heard.truths)
    before, after = [speaker.taken_for for speaker in heard.speakers], [speaker.taken_for for speaker in again]
    numbers = dict(zip(before, after, strict=True))
    assert [numbers[name] for name in before] == after
    assert all(numbers[name] == name for name in ENROLLED)
    assert len(set(numbers.values())) == len(numbers)
