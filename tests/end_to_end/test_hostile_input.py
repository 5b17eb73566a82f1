"""A handful of the campaign's hostile inputs through the real door; `make hostile` has them all.

None of these reaches a model.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from bench.chaos.hostile.campaign import judge, request_of
from bench.chaos.hostile.case import CLIP, Case, Place
from bench.chaos.hostile.door import through_door
from bench.chaos.hostile.feeds import feed_cases
from bench.chaos.hostile.media import media_cases
from bench.chaos.hostile.names import name_cases
from bench.chaos.hostile.site import hostile_site
from bench.chaos.hostile.texts import text_cases
from bench.corpora.episodes import clip_samples
from earshot.storage.database import Database
from resources.instance.home import open_instance

pytestmark = pytest.mark.slow

NAMES = (
    "people.yaml: 100,000 brackets",
    "earshot.toml: 50,000 dots",
    "no media, called by Latin-1",
    "24 hours that are not.flac",
    "huge packet.mkv",
    "playlist of this machine.mp3",
    "rate and channels change.mp3",
    "a billion laughs",
    "gzip of 4 GB",
    "media to a private address",
)


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    every = chain.from_iterable(cases(1) for cases in (text_cases, name_cases, media_cases, feed_cases))
    return {case.name: case for case in every if case.name in NAMES}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with hostile_site() as site:
        yield Place(tmp_path_factory.mktemp("hostile"), clip_samples(CLIP), site, 1)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_input_ends_in_a_named_state(
    library: Database, home: Path, cases: dict[str, Case], place: Place, name: str
) -> None:
    case, before = cases[name], set((home / "downloads").glob("*"))  # a module that kills processes may have left some
    answer = through_door({**request_of(case, case.make(place)), "whole": False}, library, open_instance())
    assert list(judge(case, answer)) == [], answer
    assert set((home / "downloads").glob("*")) <= before
