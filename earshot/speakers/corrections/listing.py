"""Corrections as they are listed: each in one line, with the name of its person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earshot.common.times import format_hms
from earshot.speakers.tables.corrections import CorrectedSpan, Correction, CorrectionKind


@dataclass(frozen=True)
class ListedCorrection:
    """A correction: `spans` are (`is`) or are never (`never`) this person, or are the same voice as `others` or a different
    one (`same`, `different`).

    Later corrections have higher numbers. `description` is one line that begins with the number.
    """

    number: int
    kind: str
    person: str | None
    spans: tuple[CorrectedSpan, ...]
    others: tuple[CorrectedSpan, ...]
    description: str


def listed(correction: Correction, people: Mapping[int, str]) -> ListedCorrection:
    """The correction with its description. `people` has the names by person_id."""
    return ListedCorrection(
        correction.correction_id,
        correction.kind,
        people.get(correction.person_id or 0),
        correction.spans,
        correction.others,
        describe_correction(correction, people),
    )


def describe_correction(correction: Correction, people: Mapping[int, str]) -> str:
    """A correction in one line, its id first. `people` has the names by person_id."""
    claim = {
        CorrectionKind.IS: f"is {people.get(correction.person_id or 0, '')}",
        CorrectionKind.NEVER: f"is never {people.get(correction.person_id or 0, '')}",
        CorrectionKind.SAME: f"is one voice with {_places(correction.others)}",
        CorrectionKind.DIFFERENT: f"is not the voice of {_places(correction.others)}",
    }[correction.kind]
    return f"{correction.correction_id}: {_places(correction.spans)} {claim}"


def _places(spans: Sequence[CorrectedSpan]) -> str:
    """The first span, and how many more there are."""
    if not spans:
        return "(videos that are gone)"
    first = f"{spans[0].video_id} {format_hms(spans[0].start_s)}-{format_hms(spans[0].end_s)}"
    videos = len({span.video_id for span in spans})
    more = f" and {len(spans) - 1} more" if len(spans) > 1 else ""
    return f"{first}{more}{f' in {videos} videos' if videos > 1 else ''}"
