"""`Library.evaluate()`: which video a reference belongs to, and what is compared; our own exports have no errors."""

from pathlib import Path

import pytest

from earshot import Library, open_library
from earshot.common.errors import EarshotError, NotTranscribed, Unknown
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.transcripts.evaluation.identities import PersonInVideo
from earshot.transcripts.evaluation.speakers import SpeakerScore
from earshot.transcripts.evaluation.words import SpeakerWordScore, WordError, WordScore
from earshot.transcripts.formats.exports import FORMATS
from earshot.transcripts.references import references
from tests.support.library import run_stages
from tests.support.videos.spoken_videos import add_video, identify

ANA = "who paid for the bridge and was it ever paid back"
BEN = "the town paid for it with a loan from its own bank"
WORDS = len(f"{ANA} {BEN}".split())


@pytest.fixture
def opened(database: Database) -> Library:
    """A library of `bridge`, in which voice 1 and voice 2 speak, and `boats`, in which voice 1 does."""
    add_video(database, "bridge", ("SPEAKER_00", ANA), ("SPEAKER_01", BEN))
    add_video(database, "boats", ("SPEAKER_00", "boats lie dry here twice a day and nobody can leave"))
    database.query("TRUNCATE voices RESTART IDENTITY CASCADE")
    database.query("INSERT INTO voices OVERRIDING SYSTEM VALUE VALUES (1), (2)")
    for video, label, voice_id in (("bridge", "SPEAKER_00", 1), ("bridge", "SPEAKER_01", 2), ("boats", "SPEAKER_00", 1)):
        identify(database, video, label, voice_id=voice_id, decided_by="voice", reason="")
    for video in ("bridge", "boats"):
        run_stages(database, video, "transcript", "speaker_turns", "text_embeddings")
    return open_library()


@pytest.fixture
def stm(tmp_path: Path) -> Path:
    """The truth of `bridge`, with two people."""
    path = tmp_path / "references.stm"
    path.write_text(f"bridge 1 Ana 0 10 {ANA}\nbridge 1 Ben 10 20 {BEN}\n")
    return path


# --- our own exports -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", [name for name, form in FORMATS.items() if form.suffix in references.FORMATS])
def test_our_own_export_has_no_errors(opened: Library, tmp_path: Path, format_name: str) -> None:
    opened.export(tmp_path, format_name)
    evaluation = opened.evaluate(tmp_path)
    total = evaluation.total
    assert [video.video_id for video in evaluation.videos] == ["boats", "bridge"]
    if format_name == "rttm":
        assert (total.words, total.speaker_words, total.speakers) == (None, None, SpeakerScore(30.0, 0.0, 0.0, 0.0))
    else:
        assert total.words == WordScore(WORDS + 11, 0, 0, 0)
        assert total.speaker_words == SpeakerWordScore(WORDS + 11, 0, WORDS + 11, 0)
    found = evaluation.identities
    assert found is not None
    assert (found.joined_pairs, found.recurring_pairs, found.merged_pairs, found.unidentified) == (1, 1, 0, 0)


def test_corrected_words_are_compared(opened: Library, stm: Path) -> None:
    opened.word_corrections.replace("bridge", "loan", "gift")
    assert opened.evaluate(stm).videos[0].errors == (WordError("substitution", 15.833, "loan", "gift"),)


# --- what is compared ----------------------------------------------------------------------------------------------------


def test_errors_are_counted_by_kind(opened: Library, tmp_path: Path) -> None:
    path = tmp_path / "bridge.stm"
    path.write_text(
        f"bridge 1 Ana 0 10 {ANA.replace('who', 'Who really')}\nbridge 1 Ben 10 25 {BEN.replace('a loan', 'alone')}\n"
    )
    [video] = opened.evaluate(path).videos
    assert video.scores.words == WordScore(WORDS, 1, 1, 1)
    assert (video.errors[0].kind, video.errors[0].said) == ("deletion", "really")
    assert video.scores.speakers == SpeakerScore(25.0, 5.0, 0.0, 0.0)
    assert video.people == (PersonInVideo("bridge", "Ana", "voice 1"), PersonInVideo("bridge", "Ben", "voice 2"))


def test_words_and_turns_of_two_files_are_one_reference(opened: Library, stm: Path, tmp_path: Path) -> None:
    rttm = tmp_path / "turns.rttm"
    rttm.write_text("SPEAKER bridge 1 0 20 <NA> <NA> x <NA> <NA>\n")
    [video] = opened.evaluate(stm, rttm).videos
    assert video.scores.words == WordScore(WORDS, 0, 0, 0)
    assert video.scores.speakers == SpeakerScore(20.0, 0.0, 0.0, 10.0)
    assert video.references == (str(stm), str(rttm))


def test_merged_and_split_people_are_listed(opened: Library, tmp_path: Path) -> None:
    said = "boats lie dry here twice a day and nobody can leave"
    path = tmp_path / "x.stm"
    path.write_text(f"bridge 1 Ana 0 10 {ANA}\nbridge 1 Ben 10 20 {BEN}\nboats 1 Ben 0 10 {said}\n")
    found = opened.evaluate(path).identities
    assert found is not None
    assert (found.recurring_pairs, found.joined_pairs, found.different_pairs, found.merged_pairs) == (1, 0, 2, 1)
    assert found.split == {"Ben": ("voice 1", "voice 2")}
    assert found.merged == {"voice 1": ("Ana", "Ben")}


def test_time_that_is_not_scored_counts_nowhere(opened: Library, stm: Path) -> None:
    stm.write_text(f"bridge 1 Ana 0 10 {ANA}\nbridge 1 x 10 20 ignore_time_segment_in_scoring\n")
    scores = opened.evaluate(stm).total
    assert scores.words == WordScore(len(ANA.split()), 0, 0, 0)
    assert scores.speakers == SpeakerScore(10.0, 0.0, 0.0, 0.0)


# --- whose reference it is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bridge", "BRIDGE", "Any title [bridge]", "A long talk", "recording 7"])
def test_reference_is_named_by_key_title_or_file(opened: Library, tmp_path: Path, name: str) -> None:
    opened.database.query(
        "UPDATE videos SET title = 'A long talk', url = 'https://x/a/Recording%%207.mp3?x=1' WHERE video_id = %s", ["bridge"]
    )
    path = tmp_path / f"{name}.txt"
    path.write_text(f"{ANA} {BEN}")
    evaluation = opened.evaluate(str(path))
    assert [(video.video_id, len(video.errors)) for video in evaluation.videos] == [("bridge", 0)]
    assert (evaluation.total.speaker_words, evaluation.total.speakers, evaluation.identities) == (None, None, None)


def test_unmatched_reference_lists_what_is_there(opened: Library, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("one")
    with pytest.raises(Unknown, match=r"No video is called 'other' \(.*other\.txt\).*boats \(Boats\), bridge \(Bridge\)"):
        opened.evaluate(tmp_path)


def test_named_video_has_the_only_reference(opened: Library, stm: Path) -> None:
    stm.write_text(stm.read_text().replace("bridge 1", "call 1"))
    assert opened.evaluate(stm, video="Bridge").total.words == WordScore(WORDS, 0, 0, 0)
    with pytest.raises(Unknown, match="no video 'nothing'"):
        opened.evaluate(stm, video="nothing")
    stm.write_text(f"{stm.read_text()}other 1 Ana 0 1 one\n")
    with pytest.raises(EarshotError, match="are of 2 recordings: call, other"):
        opened.evaluate(stm, video="bridge")


def test_two_videos_of_one_name_are_refused(opened: Library, tmp_path: Path) -> None:
    opened.database.query("UPDATE videos SET title = 'Same'")
    (tmp_path / "same.txt").write_text("one")
    with pytest.raises(EarshotError, match=r"Several videos are called 'same'.*boats, bridge"):
        opened.evaluate(tmp_path)


def test_video_without_transcript_is_refused(opened: Library, tmp_path: Path) -> None:
    register(opened.database, [Video("new", "https://x/new", "https://x", "New")])
    (tmp_path / "new.txt").write_text("one")
    with pytest.raises(NotTranscribed, match="has no transcript"):
        opened.evaluate(tmp_path)


def test_invalid_collar_is_refused(opened: Library, stm: Path) -> None:
    with pytest.raises(EarshotError, match="seconds, 0 or more"):
        opened.evaluate(stm, collar_s=float("nan"))


def test_page_is_one_file_that_escapes_what_it_shows(opened: Library, stm: Path) -> None:
    opened.database.query("UPDATE videos SET title = '<script>alert(1)</script>', url = 'javascript:alert(1)'")
    stm.write_text(stm.read_text().replace("loan", "<b>grant"))
    page = opened.evaluate(stm).html()
    assert "<script" not in page
    assert "javascript:" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<td>bgrant</td><td><del>loan</del></td>" in page
    assert "src=" not in page
    assert 'rel="stylesheet"' not in page
