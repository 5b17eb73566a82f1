"""The pages of a static site, as HTML that escapes whatever a title, a name or a transcript says. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from earshot.common.times import format_hms
from earshot.storage.catalog.videos import Video
from earshot.transcripts.formats.speaker_passages import day_of, link_to, speaker_runs, title_of
from earshot.transcripts.recordings import Recording

FOLDER = files("earshot.transcripts.publishing")
ASSETS = ("site.css", "search.js")


@dataclass(frozen=True)
class SiteVideo:
    """A video in the list of the first page."""

    video_id: str
    title: str
    day: str
    length: str


def listed(video: Video) -> SiteVideo:
    return SiteVideo(video.video_id, title_of(video), day_of(video), format_hms(video.duration_s) if video.duration_s else "")


def video_page(recording: Recording) -> str:
    """The transcript by speaker, with a link to the second of each passage."""
    video = recording.video
    runs = [
        (name, [(passage, format_hms(passage.start_s), _address(video, passage.start_s)) for passage in run])
        for name, run in speaker_runs(recording)
    ]
    return _render("video.html", page=listed(video), runs=runs, link=_address(video, 0.0), language=recording.language)


def first_page(title: str, videos: Sequence[SiteVideo]) -> str:
    """The search box, and the videos."""
    return _render("index.html", title=title, videos=videos)


def asset(name: str) -> str:
    """The text of one of `ASSETS`."""
    return (FOLDER / name).read_text(encoding="utf-8")


def _address(video: Video, start_s: float) -> str:
    """A link that a browser opens: scripts of a feed's address never run, and files of this machine are not there."""
    return link_to(video, start_s) if video.url.startswith(("http://", "https://")) else ""


def _render(template: str, **values: object) -> str:
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(str(FOLDER)), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
