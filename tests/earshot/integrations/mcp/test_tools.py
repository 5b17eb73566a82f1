"""Each tool over a small library, by the protocol's own client within this process."""

from datetime import datetime

import pytest

from earshot.integrations.mcp import transcript
from earshot.integrations.mcp.server import CORRECTING, READING
from earshot.storage.database import Database
from tests.earshot.integrations.mcp.conftest import HOSTILE, PAGE, Ask, all_pages, answered, refused
from tests.support.captions import mark_captions


def test_passage_has_who_when_and_links_to_the_second(ask: Ask) -> None:
    found = answered(ask("search", question='"Bo in two"', words=True))
    assert [passage["text"].strip() for passage in found["passages"]] == ["This is Bo in two."] * 2
    last = max(found["passages"], key=lambda passage: passage["start_s"])
    assert (last["speakers"], last["start_s"], last["time"]) == (["voice 2"], 30.0, "0:00:30")
    assert last["link"] == "https://www.youtube.com/watch?v=two&t=30s"
    assert last["page"] == f"{PAGE}/videos/two?t=30"


def test_passage_of_captions_says_so(ask: Ask, library: Database) -> None:
    mark_captions(library, "two")
    try:
        found = answered(ask("search", question='"Bo in two"', words=True))["passages"]
        assert [(each["captions"], each["speakers"]) for each in found] == [("automatic captions of the site", [])] * 2
    finally:
        library.query("DELETE FROM captions")


def test_search_pages_have_each_passage_once(ask: Ask) -> None:
    every = answered(ask("search", question="Ana Bo Cy", words=True, limit=50))["passages"]
    paged = all_pages(ask, "search", "passages", question="Ana Bo Cy", words=True, limit=5)
    assert [(each["video_id"], each["start_s"]) for each in paged] == [(each["video_id"], each["start_s"]) for each in every]
    assert len(paged) == 12


def test_search_is_filtered_by_speaker_and_video(ask: Ask) -> None:
    found = answered(ask("search", question="Ana Bo Cy", words=True, speaker="voice 2", video="Talk one"))
    assert {(*each["speakers"], each["video_id"]) for each in found["passages"]} == {("voice 2", "one")}


def test_search_without_hits_says_why(ask: Ask) -> None:
    found = answered(ask("search", question="zeppelin", words=True))
    assert (found["passages"], found["next"]) == ([], None)
    assert found["note"].startswith("No passage fits.")


def test_context_is_given_when_asked_for(ask: Ask) -> None:
    [plain, _] = answered(ask("search", question='"Bo in one"', words=True))["passages"]
    [whole, _] = answered(ask("search", question='"Bo in one"', words=True, context=True))["passages"]
    assert (plain.get("before"), whole["before"]) == (None, " This is Ana in one.")


def test_who_said_groups_the_passages_by_speaker(ask: Ask) -> None:
    said = all_pages(ask, "who_said", "speakers", about="Ana Bo Cy", words=True, limit=2)
    assert {each["speaker"]: each["passages"] for each in said} == {"voice 1": 6, "voice 2": 4, "voice 3": 2}
    assert len(said) == 3
    assert all(each["best"][0]["page"].startswith(PAGE) for each in said)


def test_transcript_is_read_in_parts_without_gap_or_double(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answered(ask("transcript", video="one"))
    assert [each["speaker"] for each in whole["spoken"]] == ["voice 1", "voice 2"] * 2
    assert (whole["spoken"][1]["time"], whole["spoken"][1]["page"]) == ("0:00:10", f"{PAGE}/videos/one?t=10")
    monkeypatch.setattr(transcript, "MOST_CHARACTERS", 25)
    assert all_pages(ask, "transcript", "spoken", video="one") == whole["spoken"]


def test_transcript_around_a_moment(ask: Ask) -> None:
    for at in (25, "25", "0:25"):
        around = answered(ask("transcript", video="one", at=at, within_s=4))["spoken"]
        assert [each["start_s"] for each in around] == [20.0]
    assert answered(ask("transcript", video="one", at=3000))["spoken"] == []


def test_transcript_of_one_speaker(ask: Ask) -> None:
    spoken = answered(ask("transcript", video="one", speaker="Voice 2"))["spoken"]
    assert [each["text"] for each in spoken] == ["This is Bo in one."] * 2
    assert refused(ask("transcript", video="one", speaker="Cy")) == "'Cy' does not speak in one. Speakers: voice 1, voice 2."


def test_people_and_where_they_speak(ask: Ask) -> None:
    listed = all_pages(ask, "people", "people", limit=1)
    assert [(each["name"], each["videos"], each["speech_s"]) for each in listed] == [
        ("voice 1", 3, 60.0), ("voice 2", 2, 40.0), ("voice 3", 1, 20.0),
    ]  # fmt: skip
    places = all_pages(ask, "appearances", "videos", who="voice 2", limit=1)
    assert {each["video_id"] for each in places} == {"one", "two"}
    assert {(each["time"], each["link"][-6:], each["page"][-5:]) for each in places} == {("0:00:10", "&t=10s", "?t=10")}


def test_videos_and_what_is_new(ask: Ask, named: Database) -> None:
    listed = all_pages(ask, "videos", "videos", limit=1)
    assert sorted(each["video_id"] for each in listed) == ["one", "three", "two"]
    assert answered(ask("videos", title="talk one"))["videos"] == [each for each in listed if each["video_id"] == "one"]
    new = all_pages(ask, "new_videos", "videos", limit=1)
    assert [each["video"]["video_id"] for each in new] == ["three", "two", "one"]
    [row] = named.query("SELECT recorded_at FROM asset_timings WHERE (video_id, asset) = ('two', 'text_embeddings')")
    assert datetime.fromisoformat(new[1]["searchable_since"]) == row["recorded_at"]
    since = answered(ask("new_videos", since=new[1]["searchable_since"]))["videos"]
    assert [each["video"]["video_id"] for each in since] == ["three"]


def test_video_that_was_run_again_is_not_new(ask: Ask, named: Database) -> None:
    again = "SELECT * FROM asset_timings WHERE (video_id, asset) = ('one', 'text_embeddings')"
    [row] = named.query(again)
    del row["timing_id"]
    row["recorded_at"] = datetime.now(row["recorded_at"].tzinfo)
    named.query(f"INSERT INTO asset_timings ({', '.join(row)}) VALUES ({', '.join(f'%({key})s' for key in row)})", row)  # noqa: S608
    assert [each["video"]["video_id"] for each in answered(ask("new_videos"))["videos"]] == ["three", "two", "one"]


def test_hostile_title_stays_text(ask: Ask) -> None:
    for tool, arguments in (("transcript", {"video": "three"}), ("search", {"question": '"Cy in three"', "words": True})):
        answer = answered(ask(tool, **arguments))
        assert (answer if tool == "transcript" else answer["passages"][0])["title"] == HOSTILE


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("search", {}, "The arguments of search are wrong: question: Field required"),
        ("search", {"question": "a", "limit": 500}, "limit: Input should be less than or equal to 50 (given: 500)"),
        ("search", {"question": "a", "page": 2}, "page: Extra inputs are not permitted"),
        ("search", {"question": "a\0b"}, "question: String should match pattern"),
        ("search", {"question": "a", "cursor": "²x1", "words": True}, "'²x1' is no place in the answer. Give `next`"),
        ("search", {"question": "a", "since": "yesterday\n"}, "since: "),
        ("search", {"question": "this", "words": True, "speaker": "Nan"}, "Nan"),
        ("who_said", {"about": "this", "words": True, "cursor": "x"}, "'x' is no place in the answer."),
        ("transcript", {"video": "four"}, "There is no video 'four'. `earshot videos` lists the videos."),
        ("transcript", {"video": "one", "at": "noon"}, "'noon' is not a time. Give seconds, or h:mm:ss."),
        ("people", {"cursor": "x"}, "is no place in the list"),
        ("appearances", {"who": "voice 99"}, "voice 99"),
        ("videos", {"state": "odd"}, "There is no state 'odd'. States:"),
        ("new_videos", {"cursor": "9" * 30}, "is no place in the list. Use `next` of an earlier answer."),
        ("name_speaker", {"what": "voice 99", "person": "Ana"}, "99"),
        ("correct_words", {"video": "one", "old": "nowhere", "new": "x"}, "'nowhere' is not said in one."),
        ("undo_correction", {"number": 999999, "kind": "words"}, "999999"),
        ("shell", {}, "There is no tool 'shell'. Tools: search, who_said, transcript,"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_an_error_of_the_tool(ask: Ask, tool: str, arguments: dict[str, object], message: str) -> None:
    assert message in refused(ask(tool, **arguments))


def test_speaker_and_words_are_corrected_and_that_is_undone(ask: Ask, named: Database) -> None:
    change = answered(ask("name_speaker", what="voice 2", person="Bo"))
    assert change["renamed"] == ["2 speakers in 2 videos are now Bo."]
    assert answered(ask("transcript", video="one", at=15))["spoken"][1]["speaker"] == "Bo"
    assert named.query("SELECT made_by FROM corrections")[0]["made_by"] == "mcp"
    words = answered(ask("correct_words", video="one", at="0:00", old="This is Ana in one", new="I am Ana"))
    assert answered(ask("transcript", video="one", at=5, within_s=1))["spoken"][0]["text"] == "I am Ana."
    answered(ask("undo_correction", kind="words", number=words["number"]))
    answered(ask("undo_correction", kind="speaker", number=change["number"]))
    spoken = answered(ask("transcript", video="one"))["spoken"]
    assert [each["text"] for each in spoken[:2]] == ["This is Ana in one.", "This is Bo in one."]
    assert spoken[1]["speaker"] == "voice 2"


def test_tools_say_whether_they_change_anything() -> None:
    for tool in (*READING, *CORRECTING):
        described = tool.describe()
        assert described.annotations
        assert described.annotations.read_only_hint == (tool in READING)
        assert described.input_schema["type"] == (described.output_schema or {})["type"] == "object"
