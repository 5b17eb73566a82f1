"""Captions of strangers: what is read of each format, and what a hostile or broken file does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.common.errors import EarshotError
from earshot.transcripts.captions import cues as module
from earshot.transcripts.captions import passages as cutting
from earshot.transcripts.captions.cues import CaptionCue, read_cues
from earshot.transcripts.captions.passages import caption_passages

# In the shape of YouTube's: each line comes with times of its words, is shown once more alone, and then above the next.
ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.389 align:start position:0%
 
ever<00:00:00.480><c> tried</c><00:00:00.800><c> ever</c>

00:00:02.389 --> 00:00:02.399 align:start position:0%
ever tried ever
 

00:00:02.399 --> 00:00:04.500 align:start position:0%
ever tried ever
failed<00:00:03.000><c> no</c><00:00:03.500><c> matter</c>

00:00:04.500 --> 00:00:04.510 align:start position:0%
failed no matter
 

00:00:04.510 --> 00:00:06.000 align:start position:0%
failed no matter
failed no matter

00:00:06.000 --> 00:00:06.010 align:start position:0%
failed no matter
 
"""


def texts(content: str, format: str = "vtt", duration_s: float | None = None) -> list[str]:
    return [cue.text for cue in read_cues(content.encode(), format, "talk", duration_s)]


def vtt(*cues: tuple[str, str]) -> str:
    return "WEBVTT\n\n" + "".join(f"{times}\n{text}\n\n" for times, text in cues)


def counted(words: object) -> list[int]:
    return [1] * len(words)  # pyright: ignore[reportArgumentType]


def test_scrolling_lines_are_read_once() -> None:
    assert texts(ROLLING) == ["ever tried ever", "failed no matter", "failed no matter"]


def test_scrolling_lines_are_read_once_without_times_of_words() -> None:
    srt = (
        "1\n00:00:00,000 --> 00:00:02,000\none two\n\n2\n00:00:02,000 --> 00:00:04,000\none two\nthree four\n\n"
        "3\n00:00:04,000 --> 00:00:06,000\nthree four\nfive six\n"
    )
    assert texts(srt, "srt") == ["one two", "three four", "five six"]


def test_repeated_words_are_kept_where_lines_do_not_scroll() -> None:
    said = [("00:00.000 --> 00:01.000", "No."), ("00:01.000 --> 00:02.000", "No."), ("00:02.000 --> 00:03.000", "Never so.")]
    assert texts(vtt(*said, ("00:03.000 --> 00:04.000", "Yes."))) == ["No.", "No.", "Never so.", "Yes."]


def test_voices_and_markup_of_webvtt() -> None:
    [ana, bo] = read_cues(
        vtt(("00:01.000 --> 00:02.000", "<v Ana>Hello &amp; <i>welcome</i></v>\n<v.loud Bo>Hi")).encode(), "vtt", "t"
    )
    assert (ana.voice, ana.text, bo.voice, bo.text) == ("Ana", "Hello & welcome", "Bo", "Hi")


def test_podcast_json() -> None:
    segments = [{"speaker": "Ana", "startTime": 0.5, "endTime": 1.5, "body": "Hello"}, {"startTime": 2, "body": "there"}]
    found = read_cues(json.dumps({"version": "1.0.0", "segments": segments}).encode(), "json", "talk")
    assert found == [CaptionCue(0.5, 1.5, "Hello", "Ana"), CaptionCue(2.0, 2.0, "there")]


def test_backward_and_late_times() -> None:
    said = vtt(
        ("00:30.000 --> 00:20.000", "backwards"), ("00:01.000 --> 00:02.000", "first"), ("00:59.000 --> 09:00.000", "long"),
        ("02:00.000 --> 02:01.000", "after the end"),
    )  # fmt: skip
    found = read_cues(said.encode(), "vtt", "talk", duration_s=60.0)
    assert [(cue.text, cue.start_s, cue.end_s) for cue in found] == [
        ("first", 1.0, 2.0),
        ("backwards", 30.0, 30.0),
        ("long", 59.0, 60.0 + module.TOLERANCE_S),
    ]


def test_hostile_text_is_text() -> None:
    assert texts(vtt(("00:01.000 --> 00:02.000", "&lt;script&gt;alert(1)&lt;/script&gt;<b>\x00\x07 {{7*7}}"))) == [
        "<script>alert(1)</script> {{7*7}}"
    ]
    body = json.dumps({"segments": [{"startTime": 1, "body": "half \ud800 <b>bold</b>"}]})
    assert texts(body, "json") == ["half <b>bold</b>"]


@pytest.mark.parametrize("piece", ["<", "<v ", "<v.a", "{\\", "</", "&", "-->", "\n ", "00:00.000 --> "])
def test_markup_without_end_takes_no_time(piece: str) -> None:
    content = vtt(("00:01.000 --> 00:02.000", piece * 300_000))
    for format in ("vtt", "srt"):
        try:
            texts(content, format)
        except EarshotError:
            continue


@pytest.mark.parametrize(
    ("content", "format", "message"),
    [
        (b"<!doctype html><p>Not found", "vtt", "line 1: expected WEBVTT"),
        (b"WEBVTT\n\nsoon --> later\nyes", "vtt", "line 3: expected times"),
        (b"WEBVTT\n\n99999999:00:00.000 --> 1:00.000\nyes", "vtt", "line 3: expected times"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\ncaf\xe9", "vtt", "line 4: expected UTF-8"),
        (b"{", "json", "expected JSON"),
        (b"[" * 100_000, "json", "line 1: expected"),
        (b'{"segments": 1}', "json", "line 1: expected an object with a list"),
        (b'{"segments": [{"body": "yes"}]}', "json", "segment 1: expected startTime in seconds"),
        (b'{"segments": [{"startTime": 1' + b"0" * 400 + b', "body": "yes"}]}', "json", "segment 1: expected startTime"),
        (b'{"segments": [{"startTime": NaN, "body": "yes"}]}', "json", "segment 1: expected startTime in seconds"),
    ],
)
def test_other_content_is_refused_with_its_place(content: bytes, format: str, message: str) -> None:
    with pytest.raises(EarshotError, match=message):
        read_cues(content, format, "talk")


def test_utf_16_is_read() -> None:
    assert [cue.text for cue in read_cues(vtt(("00:01.000 --> 00:02.000", "Grüße")).encode("utf-16"), "vtt", "t")] == ["Grüße"]


def test_too_many_cues_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CUES", 2)
    with pytest.raises(EarshotError, match="more than 2 cues"):
        texts(vtt(*[("00:01.000 --> 00:02.000", "yes")] * 3))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for format, begin in (("vtt", b"WEBVTT\n\n"), ("srt", b""), ("json", b"")):
        try:
            read_cues(begin + content, format, "talk")
        except EarshotError:
            continue


def test_passages_have_the_voices_as_text() -> None:
    cues = [
        CaptionCue(0.0, 2.0, "Who paid?", "Ana"),
        CaptionCue(2.0, 4.0, "The town did.", "Bo"),
        CaptionCue(4.0, 6.0, "All of it.", "Bo"),
    ]
    passages = caption_passages(cues, 20.0, 100, counted)
    assert passages.text.tolist() == ["Ana: Who paid?", "Bo: The town did. All of it."]
    assert passages.local_speaker.tolist() == [None, None]
    assert (passages.start_s.tolist(), passages.end_s.tolist()) == ([0.0, 2.0], [2.0, 6.0])
    assert passages[["first_word", "last_word"]].to_numpy().tolist() == [[0, 1], [2, 7]]


def test_passages_keep_their_limits() -> None:
    cues = [CaptionCue(i * 5.0, i * 5.0 + 5.0, "one two three four five.") for i in range(40)]
    passages = caption_passages(cues, 20.0, 12, counted)
    assert (passages.end_s - passages.start_s).max() <= 20.0
    assert max(len(text.split()) for text in passages.text.tolist()) <= 12
    assert " ".join(passages.text) == " ".join(cue.text for cue in cues)


def test_too_many_passages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MAX_PASSAGES", 3)
    with pytest.raises(EarshotError, match="make 4 passages"):
        caption_passages([CaptionCue(i * 60.0, i * 60.0 + 1.0, "Yes.") for i in range(4)], 20.0, 12, counted)


def test_text_longer_than_any_speech_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHARACTERS", 100)
    with pytest.raises(EarshotError, match=r"talk\.vtt has more than 100 characters of text\. No captions are that long\."):
        read_cues(b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"word " * 30, "vtt", "talk.vtt")
