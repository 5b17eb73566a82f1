"""Looks for the captions of videos that wait for their transcript, and makes them searchable.

A feed's or a folder's file is one request or none. A site is asked for the description of the video, as before a download, and
in a download slot: one at a time, with the source's pause between. A site that asks for a pause pauses its source. Whatever is
wrong with one video's captions stops no other's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from earshot.common.errors import Blocked, EarshotError, Retryable, SourceBlocked, SourceUnusable
from earshot.common.redaction import without_secrets
from earshot.config.sources_file import Source
from earshot.models.text.text_encoder import TextEncoder
from earshot.sources.captions.fetching import ask_site, read_file
from earshot.sources.media.download_slots import download_slot
from earshot.storage.catalog.entries import CaptionFile, is_url
from earshot.storage.catalog.source_states import pause
from earshot.storage.database import Database
from earshot.transcripts.captions.cues import read_cues
from earshot.transcripts.captions.passages import caption_passages
from earshot.transcripts.captions.table import CaptionsFound, Uncaptioned, record_none, save_captions, uncaptioned
from earshot.transcripts.passages import PASSAGE_S
from earshot.transcripts.search.text_models import TextModel

AT_ONCE = 50  # videos in one run, so that a source with thousands does not keep others waiting

NONE_OF_SITE = "The site has no captions in the spoken language, or does not say which language is spoken."


@dataclass(frozen=True)
class Look:
    """What came of looking for one video's captions: how many passages; or why none, which may hold no secret."""

    video: Uncaptioned
    passages: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Captioning:
    """What making captions searchable needs: the searched text model, and a function that loads its encoder."""

    database: Database
    model: TextModel
    encoder: Callable[[], TextEncoder]


def pending(database: Database, sources: Sequence[Source]) -> list[tuple[Source, Uncaptioned]]:
    """At most AT_ONCE videos whose captions are to be looked for now, each with its source; files before sites."""
    return uncaptioned(database, sources, AT_ONCE)


def look_for_captions(captioning: Captioning, waiting: Sequence[tuple[Source, Uncaptioned]]) -> Iterator[Look]:
    """Look for the captions of these videos, and make those found searchable one by one."""
    blocked: set[str] = set()
    for source, video in waiting:
        if source.address in blocked:
            continue
        try:
            yield _look(captioning, source, video)
        except (Blocked, SourceBlocked) as error:
            blocked.add(source.address)
            pause(captioning.database, source.address, str(error), error.pause_s)
            yield Look(video, reason=str(error))


def _look(captioning: Captioning, source: Source, video: Uncaptioned) -> Look:
    try:
        named = _named(captioning.database, source, video)
        if named is None:
            record_none(captioning.database, video, NONE_OF_SITE, retry=True)
            return Look(video, reason=NONE_OF_SITE)
        found = _found(captioning, source, video, *named)
    except (Blocked, SourceBlocked):
        raise
    except EarshotError as error:
        reason = without_secrets(str(error), [source.address])
        record_none(captioning.database, video, reason, retry=isinstance(error, Retryable | SourceUnusable))
        return Look(video, reason=reason)
    saved = save_captions(captioning.database, video, found, captioning.model)
    return Look(video, len(found.passages)) if saved else Look(video, reason="Its transcript came first.")


def _named(database: Database, source: Source, video: Uncaptioned) -> tuple[CaptionFile, bool, bytes] | None:
    """The file of captions, whether a machine made them, and its content; None if the site has none."""
    if video.captions is not None:
        return video.captions, False, read_file(video.captions, source)
    with download_slot(database, source):
        asked = ask_site(video.url, source, video.language)
        return None if asked is None else (*asked, read_file(asked[0], source))


def _found(
    captioning: Captioning, source: Source, video: Uncaptioned, file: CaptionFile, automatic: bool, content: bytes
) -> CaptionsFound:
    cues = read_cues(content, file.format, f"{source.name}, captions of {video.title!r}", video.duration_s)
    if not cues:
        raise EarshotError("The captions have no text.")
    encoder = captioning.encoder()
    passages = caption_passages(cues, PASSAGE_S, encoder.window, encoder.token_counts)
    vectors = encoder.encode(passages.text.tolist())
    origin = "site" if video.captions is None else "feed" if is_url(file.address) else "file"
    return CaptionsFound(origin, file.language, automatic, passages.assign(embedding=list(vectors)))
