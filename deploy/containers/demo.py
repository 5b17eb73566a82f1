"""The service `demo`: puts the episodes of `make demo` into the watched folder, waits until they are searchable, and searches.

The daemon finds the recordings and the workers process them, as with anything that a user puts there. A video whose worker
died is waited for. Exits with 1 if one fails for good.
"""

import sys
import time
from collections import Counter
from pathlib import Path

from bench.corpora.episodes import EPISODES, episode_samples, write_mp3
from earshot import EarshotError, Library, ListedVideo, open_library

RECORDINGS = Path("/recordings")
POLL_S = 2.0
RETRY_S = 120.0  # a run whose process died is found and run again in this time


def main() -> int:
    """Run the demo; returns the exit code."""
    started = time.monotonic()
    for episode in EPISODES:
        path = RECORDINGS / f"{episode.title}.mp3"
        if not path.exists():
            write_mp3(path, episode_samples(episode))
    print(f"Wrote {len(EPISODES)} recordings to {RECORDINGS}.", flush=True)
    library = open_library()
    failed = [video for video in wait_for(library) if video.state != "ready"]
    if failed:
        print("\n".join(f"{video.title}: {video.last_error}" for video in failed))
        return 1
    print(f"All can be searched, {time.monotonic() - started:.0f} s after they were written.\n")
    question = EPISODES[-1].question
    print(f"{question}?")
    for hit in library.search(question, limit=3).hits:
        print(f"  {hit.title}, {hit.start_s:.0f} s: {hit.text}")
    print("\nSearch, read and hear at http://127.0.0.1:3001. The token is in secrets/earshot.toml.")
    return 0


def wait_for(library: Library) -> list[ListedVideo]:
    """The episodes' videos, once all are ready or none has been at work for RETRY_S. Prints each change."""
    printed, worked = "", time.monotonic()
    while True:
        time.sleep(POLL_S)
        try:
            videos = [video for video in library.videos() if Path(video.url).parent == RECORDINGS]
        except EarshotError as error:
            print(f"{error} Trying again.", flush=True)
            continue
        states = ", ".join(f"{count} {state}" for state, count in sorted(Counter(video.state for video in videos).items()))
        if states != printed:
            printed = states
            print(f"{states}.", flush=True)
        if len(videos) < len(EPISODES) or any(video.run or video.state == "new" for video in videos):
            worked = time.monotonic()
        if all(video.state == "ready" for video in videos) and len(videos) >= len(EPISODES):
            return videos
        if time.monotonic() - worked > RETRY_S:
            return videos


if __name__ == "__main__":
    sys.exit(main())
