"""The service `demo`: puts the episodes of `make demo` into the watched folder, waits until they are searchable, and searches.

The daemon finds the recordings and the workers process them, as with anything that a user puts there. Exits with 1 if one fails.
"""

import sys
import time
from collections import Counter
from pathlib import Path

from bench.corpora.episodes import EPISODES, write_episodes
from earshot import Library, ListedVideo, open_library

RECORDINGS = Path("/recordings")
POLL_S = 2.0


def main() -> int:
    """Run the demo; returns the exit code."""
    started = time.monotonic()
    paths = set(map(str, write_episodes(RECORDINGS)))
    print(f"Wrote {len(paths)} recordings to {RECORDINGS}.", flush=True)
    library = open_library()
    videos = wait_for(library, paths)
    if failed := [video for video in videos if video.state == "failed"]:
        print("\n".join(f"{video.title}: {video.last_error}" for video in failed))
        return 1
    print(f"All can be searched, {time.monotonic() - started:.0f} s after they were written.")
    question = EPISODES[-1].question
    print(f"\n{question}?")
    for hit in library.search(question, limit=3).hits:
        print(f"  {hit.title} at {hit.start_s:.0f} s: {hit.text}")
    print("\nSearch, read and hear at http://127.0.0.1:3001. The token is in secrets/earshot.toml.")
    return 0


def wait_for(library: Library, paths: set[str]) -> list[ListedVideo]:
    """These videos, once each is ready or has failed. Prints each change."""
    printed = ""
    while True:
        videos = [video for video in library.videos() if video.url in paths]
        states = ", ".join(f"{count} {state}" for state, count in sorted(Counter(video.state for video in videos).items()))
        if states != printed:
            printed = states
            print(f"{states}.", flush=True)
        if len(videos) == len(paths) and all(video.state in ("ready", "failed") for video in videos):
            return videos
        time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main())
