"""Captions as sites and feeds offer them."""

from typing import Any

from earshot.storage.database import Database

PODCAST = "https://podcastindex.org/namespace/1.0"


def track(lang: str, kind: str = "", tlang: str = "") -> list[dict[str, Any]]:
    """A track as yt-dlp 2026.8.19 lists it: one entry for each format, translations with `tlang`."""
    query = f"v=abc&lang={lang}{kind and f'&kind={kind}'}{tlang and f'&tlang={tlang}'}"
    return [
        {"ext": ext, "url": f"https://www.youtube.com/api/timedtext?{query}&fmt={ext}", "name": lang, "impersonate": True}
        for ext in ("json3", "srv1", "srv2", "srv3", "ttml", "srt", "vtt")
    ]


HEARD_GERMAN = {
    "de-orig": track("de", "asr"),
    "de": track("de", "asr"),
    "en": track("de", "asr", "en"),
    "fr": track("de", "asr", "fr"),
}


def captioned_feed(*transcripts: str, language: str = "en-us", more: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?><rss version="2.0" xmlns:podcast="{PODCAST}"><channel><title>Feed</title>'
        f"{language and f'<language>{language}</language>'}<item><guid>e1</guid><title>e1</title>"
        f'<enclosure url="https://media.example/e1.mp3" type="audio/mpeg" length="1"/>{"".join(transcripts)}</item>{more}'
        "</channel></rss>"
    ).encode()


def transcript(url: str, type: str, **attributes: str) -> str:
    also = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<podcast:transcript url="{url}" type="{type}"{also}/>'


def mark_captions(database: Database, video_id: str) -> None:
    """Make the video's passages automatic captions of its site."""
    database.query(
        "INSERT INTO captions (video_id, file, origin, language, automatic, model, model_revision) "
        "SELECT DISTINCT video_id, '', 'site', language, true, model, model_revision FROM passages WHERE video_id = %s",
        [video_id],
    )
