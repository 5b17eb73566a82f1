"""CSV of passages: one row each, for spreadsheets. Pure functions; programs read Parquet or JSON more easily.

A cell that a spreadsheet would take for a formula begins with an apostrophe, as OWASP recommends ("CSV injection"): titles come
from feeds.
"""

import csv
import io

from earshot.common.text import one_line
from earshot.transcripts.formats.speaker_passages import day_of, link_to, speaker_passages
from earshot.transcripts.recordings import Recording

COLUMNS = ("video_id", "title", "date", "start_s", "end_s", "speaker", "person", "voice", "language", "text", "link")
HEADER = ",".join(COLUMNS) + "\n"

_FORMULA = ("=", "+", "-", "@")


def as_csv(recording: Recording) -> str:
    return HEADER + rows_of(recording)


def rows_of(recording: Recording) -> str:
    """The passages' lines without the header."""
    video, written = recording.video, io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    for passage in speaker_passages(recording):
        person, voice = passage.speaker.person or "", passage.speaker.voice
        times = (f"{passage.start_s:.3f}", f"{passage.end_s:.3f}")
        who = (_cell(passage.shown), _cell(person), "" if voice is None else voice)
        said = (recording.language or "", _cell(passage.text), link_to(video, passage.start_s))
        writer.writerow([video.video_id, _cell(video.title), day_of(video), *times, *who, *said])
    return written.getvalue()


def _cell(text: str) -> str:
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line
