"""Facets: how many of the best passages each person, source, language and year has, to choose a filter by."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC

from earshot.transcripts.search.hits import Hit

MOST = 20  # values of one facet


@dataclass(frozen=True)
class Facet:
    """One value of a filter, and its number of passages. `label` is what people read."""

    value: str
    label: str
    passages: int


@dataclass(frozen=True)
class Facets:
    """The values of each filter among the best passages, the most frequent first."""

    passages: int
    speakers: tuple[Facet, ...]
    sources: tuple[Facet, ...]
    languages: tuple[Facet, ...]
    years: tuple[Facet, ...]


def count_facets(hits: Sequence[Hit], source_names: dict[str, str]) -> Facets:
    """Count these passages. `source_names` are the names of sources by address."""
    return Facets(
        passages=len(hits),
        speakers=_facet(name for hit in hits for name in hit.speakers if not _is_local(name)),
        sources=_facet((hit.source for hit in hits), source_names),
        languages=_facet(hit.language for hit in hits if hit.language),
        years=_facet(str(hit.published_at.astimezone(UTC).year) for hit in hits if hit.published_at),
    )


def _facet(values: Iterable[str], labels: dict[str, str] | None = None) -> tuple[Facet, ...]:
    labels = labels or {}
    return tuple(Facet(value, labels.get(value, value), count) for value, count in Counter(values).most_common(MOST))


def _is_local(name: str) -> bool:
    """Whether a name holds in one video only (SPEAKER_00, Unknown), so that nothing can be filtered by it."""
    return name == "Unknown" or name.startswith("SPEAKER_")
