"""Which captions of a source are taken: those of speech, in a format that is read; and where a file may be fetched."""

from pathlib import Path
from typing import Any

import pytest

from earshot.common.errors import AddressRefused, EarshotError, SourceBlocked, SourceUnusable
from earshot.config.sources_file import Kind, Source, source_named
from earshot.sources.captions import fetching
from earshot.sources.captions.choice import format_of, language_of, site_captions
from earshot.sources.captions.fetching import ask_site, read_file
from earshot.sources.kinds.feeds import read_feed
from earshot.sources.kinds.folders import list_folder
from earshot.storage.catalog.entries import CaptionFile
from tests.earshot.sources.kinds.youtube import CHANNEL, play_youtube
from tests.support.captions import HEARD_GERMAN, captioned_feed, track, transcript
from tests.support.http_server import Answer, Site, moved, too_many


def taken(info: dict[str, Any], known: str = "") -> tuple[str, str, bool] | None:
    """Address, language and whether a machine made them, of a site's captions."""
    found = site_captions(info, known)
    return found and (found[0].address, found[0].language, found[1])


def offered(site: Site, body: bytes, language: str | None = None) -> list[CaptionFile | None]:
    listing = read_feed(site.put("/feed.xml", Answer(body)), Source(Kind.FEED, site.url, "feed", language=language))
    assert listing is not None
    return [entry.captions for entry in listing.entries]


# --- sites ---------------------------------------------------------------------------------------------------------------


def test_machine_translation_is_never_taken() -> None:
    heard = HEARD_GERMAN["de"][-1]["url"]
    assert taken({"automatic_captions": HEARD_GERMAN}) == (heard, "de", True)
    assert "tlang" not in heard
    assert taken({"automatic_captions": HEARD_GERMAN}, "en") is None
    without_original = {tag: files for tag, files in HEARD_GERMAN.items() if tag != "de-orig"}
    assert taken({"automatic_captions": without_original}) is None  # no one says which language is spoken
    assert taken({"automatic_captions": without_original}, "de") == (heard, "de", True)


def test_captions_by_hand_are_taken_in_the_spoken_language_only() -> None:
    by_hand = {"en": track("en"), "de": track("de"), "live_chat": [{"ext": "json", "url": "https://x"}]}
    assert taken({"subtitles": by_hand, "automatic_captions": HEARD_GERMAN}) == (track("de")[-1]["url"], "de", False)
    translated = {"subtitles": {"en": track("en")}, "automatic_captions": HEARD_GERMAN}
    assert taken(translated) == (HEARD_GERMAN["de"][-1]["url"], "de", True)
    assert taken({"subtitles": by_hand}) is None
    british = track("en-GB")
    assert taken({"subtitles": {"en-GB": british}, "language": "en"}) == (british[-1]["url"], "en", False)


def test_other_formats_of_a_site_are_not_taken() -> None:
    streamed = {"ext": "vtt", "protocol": "m3u8_native", "url": "https://x/list.m3u8"}
    local = {"ext": "vtt", "url": "file:///etc/passwd"}
    assert taken({"subtitles": {"en": [streamed, local, {"ext": "vtt", "data": "WEBVTT"}, {}]}, "language": "en"}) is None


def test_site_is_asked_through_its_extractor(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    youtube = play_youtube(site, monkeypatch)
    youtube.pages["video-00001"] = {"subtitles": {}, "automatic_captions": HEARD_GERMAN}
    file = CaptionFile(HEARD_GERMAN["de"][-1]["url"], "vtt", "de")
    assert ask_site("https://www.youtube.com/watch?v=video-00001", CHANNEL, "") == (file, True)
    assert ask_site("https://www.youtube.com/watch?v=video-00002", CHANNEL, "") is None


# --- feeds ---------------------------------------------------------------------------------------------------------------


def test_best_format_of_a_feed_is_taken(site: Site) -> None:
    several = [
        transcript("e1.json", "application/json"),
        transcript("e1.srt", "application/x-subrip"),
        transcript("e1.html", "text/html"),
    ]
    [file] = offered(site, captioned_feed(*several, transcript("e1.vtt?token=1", "text/vtt")))
    assert file == CaptionFile(f"{site.url}/e1.vtt?token=1", "vtt", "en")
    [file] = offered(site, captioned_feed(*several))
    assert file == CaptionFile(f"{site.url}/e1.srt", "srt", "en")
    assert offered(site, captioned_feed(transcript("e1.html", "text/html"))) == [None]


@pytest.mark.parametrize(
    ("spoken", "named", "option", "taken"),
    [
        ("en-us", "en", None, "en"), ("en", "", None, "en"), ("en", "es", None, None), ("", "", None, ""),
        ("", "es", None, None), ("", "es", "es", "es"), ("en", "es", "es", "es"), ("nb", "no", None, "no"),
    ],
)  # fmt: skip
def test_transcript_in_another_language_is_a_translation(
    site: Site, spoken: str, named: str, option: str | None, taken: str | None
) -> None:
    attributes = {"language": named} if named else {}
    [file] = offered(site, captioned_feed(transcript("e1.vtt", "text/vtt", **attributes), language=spoken), option)
    assert (file and file.language) == taken


def test_each_item_has_its_own_transcripts(site: Site) -> None:
    item = '<item><guid>{0}</guid><enclosure url="https://media.example/{0}.mp3" type="audio/mpeg"/>{1}</item>'
    more = item.format("e2", "") + item.format("e3", transcript("e3.vtt", "text/vtt"))
    files = offered(site, captioned_feed(transcript("e1.vtt", "text/vtt"), more=more))
    assert [file and Path(file.address).name for file in files] == ["e1.vtt", None, "e3.vtt"]


def test_feed_that_is_not_well_formed_gives_no_transcripts(site: Site) -> None:
    assert offered(site, captioned_feed(transcript("e1.vtt", "text/vtt"), "<b>")) == [None]
    assert offered(site, captioned_feed(transcript("javascript:alert(1)", "text/vtt"))) == [None]


def test_unread_formats_and_languages() -> None:
    assert [format_of("text/vtt; charset=utf-8", "x"), format_of("text/plain", "x/y.SRT?z=.vtt"), format_of("", "x/y")] == [
        "vtt",
        "srt",
        None,
    ]
    assert [language_of(tag) for tag in ("pt_BR", "iw", "tlh", "")] == ["pt", "he", "", ""]


# --- files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "language", "taken"),
    [
        (["talk.vtt"], None, ("talk.vtt", "")), (["talk.vtt"], "de", ("talk.vtt", "de")),
        (["talk.en.srt"], "en", ("talk.en.srt", "en")),
        (["talk.en.srt"], None, None), (["talk.en.srt", "talk.de.srt"], "de", ("talk.de.srt", "de")),
        (["talk.final.vtt"], "en", None), (["talker.vtt"], None, None), (["talk.srt", "talk.vtt"], None, ("talk.vtt", "")),
    ],
)  # fmt: skip
def test_file_beside_a_recording(tmp_path: Path, names: list[str], language: str | None, taken: tuple[str, str] | None) -> None:
    for name in ("talk.mp3", *names):
        (tmp_path / name).write_text("x")
    for address in (tmp_path, tmp_path / "talk.mp3"):
        [entry] = list_folder(source_named(str(address), language=language), {}).entries
        file = entry.captions
        assert (file and (Path(file.address).name, file.language)) == taken


# --- fetching ------------------------------------------------------------------------------------------------------------


def test_file_is_fetched_within_its_limits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(Kind.FEED, f"{site.url}/feed.xml", "feed")
    file = CaptionFile(site.put("/e1.vtt", Answer(b"WEBVTT\n")), "vtt", "en")
    assert read_file(file, source) == b"WEBVTT\n"
    monkeypatch.setattr(fetching, "MAX_BYTES", 3)
    with pytest.raises(SourceUnusable, match="feed: it is over 0 MB"):
        read_file(file, source)
    site.put("/e1.vtt", too_many("60"))
    with pytest.raises(SourceBlocked) as blocked:
        read_file(file, source)
    assert blocked.value.pause_s == 60


def test_file_leads_to_no_private_address(site: Site) -> None:
    elsewhere = Source(Kind.FEED, "https://podcast.example/feed.xml", "feed")
    with pytest.raises(AddressRefused, match=r"leads to 127\.0\.0\.1"):
        read_file(CaptionFile(site.put("/e1.vtt", Answer(b"WEBVTT\n")), "vtt", "en"), elsewhere)
    named = Source(Kind.FEED, f"{site.url}/feed.xml", "feed")
    site.put("/e1.vtt", moved("http://127.0.0.2:1/e1.vtt?token=s3cr3t-t0ken"))
    with pytest.raises(SourceUnusable, match=r"leads to 127\.0\.0\.2") as refused:
        read_file(CaptionFile(f"{site.url}/e1.vtt", "vtt", "en"), named)
    assert "s3cr3t" not in str(refused.value)


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EarshotError, match="cannot be read: No such file"):
        read_file(CaptionFile(str(tmp_path / "talk.vtt"), "vtt", ""), source_named(str(tmp_path)))
