"""The last search: remembers where its numbered results are, for `earshot play 2`.

Stored in EARSHOT_HOME until the next search there: only video keys and times, no text of the query or the results.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earshot.common.atomic_files import atomic_file, make_folder
from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings

if TYPE_CHECKING:
    from earshot.transcripts.search.hits import Hit

ResultPlace = tuple[str, float]  # a video's key, and a time in it in seconds


def keep_results(hits: "Sequence[Hit]") -> None:
    """Replace the stored results. Raises EarshotError if EARSHOT_HOME cannot be written to."""
    make_folder(_path().parent)
    with atomic_file(_path()) as file:
        json.dump({hit.place: (hit.video_id, hit.start_s) for hit in hits}, file)


def find_result(number: int) -> ResultPlace:
    """The video and time of this numbered result; raises EarshotError if the last search had no such result."""
    results = _read()
    if str(number) not in results:
        numbers = f"they are {min(results, key=int)} to {max(results, key=int)}" if results else "it found nothing"
        raise EarshotError(f"The last search printed no result {number}: {numbers}.", "Search again: earshot search TEXT")
    video_id, start_s = results[str(number)]
    return video_id, start_s


def _read() -> Mapping[str, ResultPlace]:
    try:
        return json.loads(_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EarshotError("Nothing was searched here yet.", "Search first: earshot search TEXT") from None


def _path() -> Path:
    return read_settings().home / "last_search.json"
