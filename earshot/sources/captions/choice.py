"""Chooses captions: in the spoken language, in a format that Earshot reads. Pure functions.

A site may offer a hundred languages for one video, all but one of them translations, most made by a machine. So a file that
names a language is taken only if that is the spoken one. If the spoken language is unknown, no such file is taken. A
file that names none is in the spoken language by convention, of feeds and of players.

YouTube's automatic captions are those of speech only under `xx-orig`, or under the spoken language if their address asks for no
translation (`tlang`); yt-dlp lists every translation that the site could make beside them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from earshot.config.source_options import LANGUAGES
from earshot.storage.catalog.entries import CaptionFile

FORMATS = ("vtt", "srt", "json")  # the best first: WebVTT names voices, and JSON is often one word a cue
_BY_TYPE = {
    "text/vtt": "vtt",
    "text/srt": "srt",
    "application/srt": "srt",
    "application/x-subrip": "srt",
    "application/json": "json",
}
_ORIGINAL = "-orig"
# Codes of sites that whisper has under another name.
_SAME = {"iw": "he", "in": "id", "ji": "yi", "nb": "no", "jv": "jw", "fil": "tl", "cmn": "zh"}


def format_of(declared: str, address: str) -> str | None:
    """The format by its media type, else by the end of the address; None if Earshot does not read it."""
    kind = declared.partition(";")[0].strip().lower()
    if kind not in ("", "text/plain", "application/octet-stream"):
        return _BY_TYPE.get(kind)
    suffix = PurePosixPath(urlsplit(address).path).suffix.lower().removeprefix(".")
    return suffix if suffix in FORMATS else None


def language_of(tag: str) -> str:
    """Whisper's code of a language tag: `en` for `en-US`, `no` for `nb`; "" if whisper does not know the language."""
    code = tag.strip().replace("_", "-").partition("-")[0].lower()
    code = _SAME.get(code, code)
    return code if code in LANGUAGES else ""


def choose_file(files: Iterable[CaptionFile], tags: Iterable[str], spoken: str) -> CaptionFile | None:
    """The best file in the spoken language, with its language; None if there is none.

    `tags` are the languages that the files name, "" for none; `spoken` is whisper's code, "" if it is not known.
    """
    taken = [
        replace(file, language=spoken) for file, tag in zip(files, tags, strict=True) if not tag or _is_spoken(tag, spoken)
    ]
    return min(taken, key=lambda file: FORMATS.index(file.format), default=None)


def site_captions(info: Mapping[str, Any], known: str) -> tuple[CaptionFile, bool] | None:
    """The captions in yt-dlp's description of a video, and whether a machine made them; None if it has none of its speech.

    `known` is the spoken language, if the user named it. Those made by hand are preferred.
    """
    by_hand, automatic = info.get("subtitles") or {}, info.get("automatic_captions") or {}
    spoken = known or language_of(info.get("language") or "") or _original(automatic)
    if not spoken:
        return None
    for tracks, made_by_machine in ((by_hand, False), (_of_speech(automatic), True)):
        named = [(tag, files) for tag, files in tracks.items() if _is_spoken(tag.removesuffix(_ORIGINAL), spoken)]
        for _, files in sorted(named, key=lambda track: (not track[0].endswith(_ORIGINAL), len(track[0]))):
            if file := _readable(files, spoken):
                return file, made_by_machine
    return None


def _is_spoken(tag: str, spoken: str) -> bool:
    return bool(spoken) and language_of(tag) == spoken


def _original(automatic: Mapping[str, Any]) -> str:
    """The language that the site heard, if it says so for exactly one."""
    heard = {language_of(tag.removesuffix(_ORIGINAL)) for tag in automatic if tag.endswith(_ORIGINAL)}
    return heard.pop() if len(heard) == 1 else ""


def _of_speech(automatic: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The automatic captions without translations."""
    kept = {tag: [file for file in files or () if not _is_translation(file)] for tag, files in automatic.items()}
    return {tag: files for tag, files in kept.items() if files}


def _is_translation(file: Mapping[str, Any]) -> bool:
    return bool(parse_qs(urlsplit(file.get("url") or "").query).get("tlang"))


def _readable(files: Sequence[Mapping[str, Any]] | None, spoken: str) -> CaptionFile | None:
    """The best file of a track that is fetched by one request."""
    fetched = [
        CaptionFile(file["url"], file["ext"], spoken)
        for file in files or ()
        if file.get("ext") in FORMATS[:2] and _is_web(file.get("url")) and "m3u8" not in (file.get("protocol") or "")
    ]
    return min(fetched, key=lambda file: FORMATS.index(file.format), default=None)


def _is_web(url: str | None) -> bool:
    return (url or "").lower().startswith(("http://", "https://"))
