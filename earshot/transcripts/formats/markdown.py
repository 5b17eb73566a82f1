"""Markdown: formats a recording as a note that Obsidian and other programs read. Pure functions.

Front matter (YAML) has the facts of the video. Below it each passage is a paragraph that begins with a link to its second,
under the name of its speaker. No word can format the text, make a tag or a link: characters that mean something in Markdown are
escaped, also those that only Obsidian knows.
"""

import re
from typing import Any

import yaml

from earshot.common.times import browsable, format_hms
from earshot.storage.catalog.videos import Video
from earshot.transcripts.formats.speaker_passages import SpeakerPassage, day_of, link_to, speaker_runs, title_of
from earshot.transcripts.recordings import Recording

# Also `==highlights==`, `#tags`, `$formulas$`, `%%comments%%` and `^blocks` of Obsidian.
_MEANS_SOMETHING = re.compile(r"[\\`*_{}\[\]<>|~#$=^%&]")
_WIDE = 10_000  # characters: no line of the front matter is folded


def as_markdown(recording: Recording) -> str:
    video, runs = recording.video, speaker_runs(recording)
    speakers = list(dict.fromkeys(name for name, _ in runs))
    parts = [f"---\n{_front_matter(recording, speakers)}---\n", f"# {escape(title_of(video))}\n"]
    for name, run in runs:
        parts.append(f"**{escape(name)}**\n")
        parts += [_paragraph(video, passage) for passage in run]
    return "\n".join(parts)


def _front_matter(recording: Recording, speakers: list[str]) -> str:
    video = recording.video
    facts: dict[str, Any] = {
        "title": title_of(video),
        "date": day_of(video),
        "url": browsable(video.url),
        "source": video.source,
        "duration": format_hms(video.duration_s) if video.duration_s else "",
        "language": recording.language or "",
        "speakers": speakers,
        "video_id": video.video_id,
    }
    known = {key: value for key, value in facts.items() if value}
    return yaml.safe_dump(known, allow_unicode=True, sort_keys=False, width=_WIDE)


def _paragraph(video: Video, passage: SpeakerPassage) -> str:
    link = link_to(video, passage.start_s)
    return f"[{format_hms(passage.start_s)}]({link}) {escape(passage.text)}\n"


def escape(text: str) -> str:
    """The text on one line, with a backslash before each character that Markdown could read as markup."""
    return _MEANS_SOMETHING.sub(lambda found: "\\" + found[0], " ".join(text.split()))
