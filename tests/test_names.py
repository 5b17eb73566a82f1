"""Who the speakers are, where users read: in exports and in search."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ingest_assets.cli.library import export_command, search_command
from ingest_assets.known_voices import find_known
from ingest_assets.names import NOBODY, Names, Speaker, names_of_moments, speaker_names
from ingest_assets.search import Hit, explain_nothing, search
from resources.catalogue import Video, register
from resources.corrections import Span, add_correction
from resources.database import Database
from resources.errors import EarshotError
from resources.loaded_models import ModelsResource
from resources.models import MINILM
from resources.people import add_person

ANA = Speaker("Ana", person="Ana")
VOICE = Speaker("voice 7", voice=7)
SPACE = {"model": "m", "model_revision": "r", "preparation": "p"}
TEXTS = ("alpha", "beta", "gamma")


class Encoder:
    """Stands for the text model: each of TEXTS is a direction of its own, anything else lies between the first two."""

    execution = SimpleNamespace(model="t", model_revision="1")

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([_direction(text) for text in texts], dtype=np.float32)


def _direction(text: str) -> list[float]:
    return [float(text == known) for known in TEXTS] if text in TEXTS else [0.8, 0.6, 0.0]


@pytest.fixture
def people(database: Database) -> Database:
    """Ana, and voice 7."""
    add_person(database, "Ana")
    database.query("INSERT INTO voices (voice_id) OVERRIDING SYSTEM VALUE VALUES (7)")
    return database


def ana_id(database: Database) -> int:
    return database.query("SELECT person_id FROM people WHERE name = 'Ana'")[0]["person_id"]


def add_video(database: Database, video_id: str, *said: tuple[str | None, str]) -> None:
    """A video in which each local speaker says a passage of four words in turn, a turn of ten seconds each."""
    register(database, [Video(video_id, f"https://x/{video_id}", "https://x", video_id.title())])
    turns = pd.DataFrame(
        [
            (i, i * 10.0, i * 10.0 + 10.0, label, False) for i, (label, _) in enumerate(said) if label is not None
        ],
        columns=["turn_index", "start_s", "end_s", "local_speaker", "overlap"],
    )  # fmt: skip
    words = pd.DataFrame(
        [
            (i * 4 + j, i, i * 10.0 + j * 2.5, i * 10.0 + j * 2.5 + 2.0, f" {text}{'.' if j == 3 else ''}", 0.5)
            for i, (_, text) in enumerate(said)
            for j in range(4)
        ],
        columns=["word_index", "segment_index", "start_s", "end_s", "text", "probability"],
    )
    passages = pd.DataFrame(
        [
            (i, i * 10.0, i * 10.0 + 9.5, label, i * 4, i * 4 + 3, " ".join([text] * 4), np.array(_direction(text), np.float32))
            for i, (label, text) in enumerate(said)
        ],
        columns=["passage_index", "start_s", "end_s", "local_speaker", "first_word", "last_word", "text", "embedding"],
    ).assign(model="t", model_revision="1")
    transcript = pd.DataFrame([("en", 1.0, "w", "1")], columns=["language", "language_probability", "model", "model_revision"])
    exclusive = turns.drop(columns="overlap")
    tables = {"turns": turns, "exclusive_turns": exclusive, "words": words, "passages": passages, "transcripts": transcript}
    database.replace(video_id, tables)


def identify(database: Database, video_id: str, label: str, **decided: Any) -> None:
    row = {"person_id": None, "voice_id": None, "decided_by": "nothing", "reason": "too short", **decided, **SPACE}
    database.query(
        "INSERT INTO identities (video_id, local_speaker, person_id, voice_id, decided_by, reason, "
        "model, model_revision, preparation, made_at) VALUES (%(video)s, %(label)s, %(person_id)s, %(voice_id)s, "
        "%(decided_by)s, %(reason)s, %(model)s, %(model_revision)s, %(preparation)s, now())",
        {**row, "video": video_id, "label": label},
    )


def is_ana(database: Database, video_id: str, start_s: float, end_s: float) -> None:
    add_correction(database, "is", ana_id(database), [Span(video_id, start_s, end_s)])


def found(database: Database, text: str = "alpha", limit: int = 100, speaker: str | None = None) -> list[Hit]:
    encoder: Any = Encoder()
    return search(database, encoder, text, limit, None if speaker is None else find_known(database, speaker))


# --- who is shown --------------------------------------------------------------------------------------------------------


def test_people_voices_and_unknown_ones_are_told_apart(people: Database) -> None:
    add_video(people, "v", ("SPEAKER_00", "alpha"), ("SPEAKER_01", "beta"), ("SPEAKER_02", "gamma"), ("SPEAKER_03", "beta"))
    identify(people, "v", "SPEAKER_00", person_id=ana_id(people), decided_by="profile", reason="")
    identify(people, "v", "SPEAKER_01", voice_id=7, decided_by="voice", reason="")
    identify(people, "v", "SPEAKER_02")
    names = speaker_names(people, "v")
    labels = ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "SPEAKER_03", None, float("nan")]
    assert [names.of_label(label) for label in labels] == [
        ANA, VOICE, Speaker("SPEAKER_02"), Speaker("SPEAKER_03"), NOBODY, NOBODY
    ]  # fmt: skip


def test_a_library_in_which_nobody_was_identified_shows_labels_as_before(database: Database) -> None:
    add_video(database, "v", ("SPEAKER_00", "alpha"), (None, "beta"))
    assert speaker_names(database, "v") == Names()
    assert [(hit.local_speaker, hit.speaker) for hit in found(database)] == [("SPEAKER_00", "SPEAKER_00"), (None, "Unknown")]


def test_what_is_known_of_one_video_names_nobody_in_another(people: Database) -> None:
    for video in ("v", "w"):
        add_video(people, video, ("SPEAKER_00", "alpha"))
    identify(people, "v", "SPEAKER_00", person_id=ana_id(people), decided_by="profile", reason="")
    assert speaker_names(people, "w").of_label("SPEAKER_00") == Speaker("SPEAKER_00")


def test_a_moment_is_his_whose_it_is_from_its_start_until_before_its_end() -> None:
    names = Names({"S": VOICE}, ((1.0, 2.0, ANA), (2.0, 3.0, Speaker("Ben")), (5.0, 6.0, ANA)))
    spans = pd.DataFrame([(t, t) for t in (0.5, 1.0, 1.5, 2.0, 3.0, 5.5, 6.0, 9.0)], columns=["start_s", "end_s"])
    shown = [speaker.shown for speaker in names.of_spans(spans, ["S"] * len(spans))]
    assert shown == ["voice 7", "Ana", "Ana", "Ben", "voice 7", "Ana", "voice 7", "voice 7"]


def test_the_middle_decides_to_whom_a_word_belongs_at_the_border_of_a_moment() -> None:
    names = Names({}, ((1.0, 2.0, ANA),))
    spans = pd.DataFrame([(0.5, 1.25), (0.75, 1.5), (1.5, 2.25), (1.75, 2.5)], columns=["start_s", "end_s"])
    assert [speaker == ANA for speaker in names.of_spans(spans, [None] * 4)] == [False, True, True, False]


def test_a_corrected_turn_is_hers_whom_the_correction_names_and_no_other(people: Database) -> None:
    add_video(people, "v", *[("SPEAKER_00", "alpha")] * 3, ("SPEAKER_01", "beta"))
    identify(people, "v", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    is_ana(people, "v", 10.0, 20.0)
    names = speaker_names(people, "v")
    words = people.frame("words", "v", "word_index")
    shown = names.of_spans(words, ["SPEAKER_00"] * 12 + ["SPEAKER_01"] * 4)
    assert shown == [VOICE] * 4 + [ANA] * 4 + [VOICE] * 4 + [Speaker("SPEAKER_01")] * 4
    assert names_of_moments(people) == {"v": names}


def test_videos_without_corrected_moments_are_not_among_those_with(people: Database) -> None:
    for video in ("v", "w"):
        add_video(people, video, *[("SPEAKER_00", "alpha")] * 3)
    is_ana(people, "v", 0.0, 30.0)  # the whole of the speaker: what asset `people` then says of SPEAKER_00
    is_ana(people, "w", 0.0, 10.0)
    assert list(names_of_moments(people)) == ["w"]


# --- search --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def searched(people: Database) -> Database:
    """Ana in two videos, voice 7 in one, and six passages of others, nearer to a question than theirs."""
    add_video(people, "a", ("SPEAKER_00", "alpha"), ("SPEAKER_01", "gamma"))
    add_video(people, "b", ("SPEAKER_01", "gamma"), ("SPEAKER_00", "beta"))
    for number in range(3):
        add_video(people, f"c{number}", ("SPEAKER_00", "alpha"), ("SPEAKER_00", "alpha"))
    for video in ("a", "b"):
        identify(people, video, "SPEAKER_01", person_id=ana_id(people), decided_by="profile", reason="")
    identify(people, "b", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    return people


def test_a_hit_says_who_speaks(searched: Database) -> None:
    [hit, *_] = found(searched, "gamma", limit=1)
    assert (hit.video_id, hit.local_speaker, hit.speaker) == ("a", "SPEAKER_01", "Ana")


@pytest.mark.parametrize(
    ("speaker", "hits"), [("Ana", ["a", "b"]), ("ana", ["a", "b"]), ("voice 7", ["b"]), ("Voice  7", ["b"])]
)
def test_of_one_speaker_everything_is_found_however_much_nearer_others_are(
    searched: Database, speaker: str, hits: list[str]
) -> None:
    assert [hit.video_id for hit in found(searched, "alpha", limit=2, speaker=speaker)] == hits


@pytest.mark.parametrize("text", ["Ben", "voice 8", "voice", "voice x", "SPEAKER_00", "", f"voice {10**30}"])
def test_looking_for_somebody_who_is_not_known_says_so(searched: Database, text: str) -> None:
    with pytest.raises(EarshotError, match=r"Nobody is called|There is no voice"):
        find_known(searched, text)


def test_somebody_who_says_nothing_is_found_nowhere_and_told_so(searched: Database) -> None:
    add_person(searched, "Ben")
    assert found(searched, speaker="Ben") == []
    model: Any = SimpleNamespace(name="t")
    assert explain_nothing(searched, model, find_known(searched, "Ben")) == "No passage is known to be by Ben."
    assert "the library has 10 of t" in explain_nothing(searched, MINILM, find_known(searched, "Ben"))


def test_a_corrected_moment_is_found_as_hers_and_its_passage_names_both(searched: Database) -> None:
    add_video(searched, "d", *[("SPEAKER_00", "alpha")] * 3)
    is_ana(searched, "d", 15.0, 20.0)  # half of a passage
    hers = [(hit.video_id, hit.start_s, hit.speaker) for hit in found(searched, "alpha", speaker="Ana")]
    assert hers == [("d", 10.0, "SPEAKER_00, Ana"), ("a", 10.0, "Ana"), ("b", 0.0, "Ana")]
    everybody = [(hit.start_s, hit.speaker) for hit in found(searched, "alpha") if hit.video_id == "d"]
    assert everybody == [(0.0, "SPEAKER_00"), (10.0, "SPEAKER_00, Ana"), (20.0, "SPEAKER_00")]


def test_what_was_corrected_away_from_a_speaker_is_not_found_as_his(people: Database) -> None:
    add_video(people, "v", *[("SPEAKER_00", "alpha")] * 3)
    identify(people, "v", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    is_ana(people, "v", 10.0, 20.0)
    assert [hit.start_s for hit in found(people, speaker="voice 7")] == [0.0, 20.0]
    assert [hit.start_s for hit in found(people, speaker="Ana")] == [10.0]


def test_passages_of_another_model_are_never_found_as_anybodys(searched: Database) -> None:
    searched.query("UPDATE passages SET model_revision = '2' WHERE video_id = 'a'")
    assert [hit.video_id for hit in found(searched, speaker="Ana")] == ["b"]


# --- commands ------------------------------------------------------------------------------------------------------------


def test_search_for_one_speaker_on_the_command_line(searched: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelsResource, "text_encoder", lambda *_: Encoder())
    run = CliRunner().invoke
    hits = json.loads(run(search_command, ["alpha", "--speaker", "Ana", "--json"], catch_exceptions=False).output)
    assert [(hit["video_id"], hit["speaker"], hit["local_speaker"]) for hit in hits] == [
        ("a", "Ana", "SPEAKER_01"), ("b", "Ana", "SPEAKER_01")
    ]  # fmt: skip
    assert "[0:00:10] voice 7" in run(search_command, ["beta", "--speaker", "voice 7"], catch_exceptions=False).output
    add_person(searched, "Ben")
    nothing = run(search_command, ["alpha", "--speaker", "Ben"], catch_exceptions=False).output
    assert nothing.startswith("No passages of text model") or nothing == "No passage is known to be by Ben.\n"


def test_an_export_names_who_is_known(searched: Database) -> None:
    is_ana(searched, "c0", 10.0, 15.0)
    run = CliRunner().invoke
    assert run(export_command, ["b"], catch_exceptions=False).output == (
        "[0:00:00] Ana: gamma gamma gamma gamma\n[0:00:10] voice 7: beta beta beta beta\n"
    )
    assert [line.split("] ")[1] for line in run(export_command, ["c0"], catch_exceptions=False).output.splitlines()] == [
        "SPEAKER_00: alpha alpha alpha alpha", "Ana: alpha alpha", "SPEAKER_00: alpha alpha."
    ]  # fmt: skip
