"""Resource `enrolment_work`: what a run of asset `enrolments` judges."""

from collections.abc import Callable
from dataclasses import dataclass

from earshot.speakers.people.enrol import assess_listed
from earshot.speakers.people.samples import VoiceModels
from earshot.storage.database import Database


@dataclass(frozen=True)
class EnrolmentWork:
    """`judge` judges recordings with these models and returns how many it judged. It raises no error that contains a name.

    A run of `earshot people enrol` passes its own.
    """

    judge: Callable[[Database, VoiceModels], int]


def _judge_listed(database: Database, models: VoiceModels) -> int:
    return len(assess_listed(database, models))


JUDGE_LISTED = EnrolmentWork(_judge_listed)
