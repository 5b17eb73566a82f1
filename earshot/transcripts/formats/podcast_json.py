"""The JSON transcript of podcasting 2.0 (`podcast:transcript`, type application/json). Pure functions.

One segment per passage, with its speaker. The format: https://github.com/Podcastindex-org/podcast-namespace, transcripts.
"""

import json

from earshot.transcripts.formats.speaker_passages import speaker_passages
from earshot.transcripts.recordings import Recording

VERSION = "1.0.0"


def as_podcast_json(recording: Recording) -> str:
    segments = [
        {
            "speaker": passage.shown,
            "startTime": round(passage.start_s, 3),
            "endTime": round(passage.end_s, 3),
            "body": " ".join(passage.text.split()),
        }
        for passage in speaker_passages(recording)
    ]
    return json.dumps({"version": VERSION, "segments": segments}, ensure_ascii=False, indent=1) + "\n"
