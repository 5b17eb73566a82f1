"""The last search: where its results are, by their numbers, for `earshot play 2`.

Kept in EARSHOT_HOME, for whoever searches there next: keys of videos and times, nothing of what was asked or said.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earshot.common.atomic_files import atomic_file, make_folder
from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings

if TYPE_CHECKING:
    from earshot.transcripts.search.query import Hit

ResultPlace = tuple[str, float]  # a video's key, and seconds of it


def keep_results(hits: "Sequence[Hit]") -> None:
    """In place of those of the search before. Raises EarshotError where EARSHOT_HOME cannot be written to."""
    make_folder(_path().parent)
    with atomic_file(_path()) as file:
        json.dump({hit.place: (hit.video_id, hit.start_s) for hit in hits}, file)


def find_result(number: int) -> ResultPlace:
    """Where the result of this number is; raises EarshotError where the last search printed none."""
    kept = _read()
    if str(number) not in kept:
        numbers = f"they are {min(kept, key=int)} to {max(kept, key=int)}" if kept else "it found nothing"
        raise EarshotError(f"The last search printed no result {number}: {numbers}.", "Search again: earshot search TEXT")
    video_id, start_s = kept[str(number)]
    return video_id, start_s


def _read() -> Mapping[str, ResultPlace]:
    try:
        return json.loads(_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EarshotError("Nothing was searched here yet.", "Search first: earshot search TEXT") from None


def _path() -> Path:
    return read_settings().home / "last_search.json"
