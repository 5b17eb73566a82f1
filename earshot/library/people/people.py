"""People and anonymous voices: list, show, rename, merge, remove and forget them.

WHO is a person's name, whose letter case is ignored, or an anonymous voice: `voice 7`. Each change identifies all speakers
again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.library.people.changes import SpeakerChange, identifying_again
from earshot.speakers.people.directory import KnownSpeaker, list_known, resolve
from earshot.speakers.tables.voice_space import count_other_spaces, voice_space
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef

if TYPE_CHECKING:
    from earshot.library.people.calibration import LibraryCalibration
    from earshot.library.people.enrolment import ListedEnrolments, PersonEnrolment
    from earshot.library.people.overview import SpeakerOverview
    from earshot.speakers.browsing.listing import Kind, SpeakerList
    from earshot.speakers.browsing.places import PlaceList
    from earshot.speakers.people.details import SpeakerDetails
    from earshot.speakers.people.forget import ForgetSummary


class People:
    """`Library.people`. Each method raises EarshotError, with the nearest name, if no person has the name.

    `made_by` is stored with renames and merges; by default, the system's user.
    """

    def __init__(self, database: Database, made_by: str | None = None) -> None:
        self._database, self._made_by = database, made_by

    def list(self) -> Sequence[KnownSpeaker]:
        """Each person and anonymous voice, those with most videos first; last, one row for all unknown speakers, if any."""
        return list_known(self._database, voice_space(read_settings()))

    def browse(self, kind: "Kind | None" = None, text: str = "", after: str | None = None, limit: int = 50) -> "SpeakerList":
        """A part of the list, those who speak most first: of one kind, with this text in the name, after this cursor."""
        from earshot.speakers.browsing.listing import list_speakers

        return list_speakers(self._database, kind, text, after, limit)

    def counts(self) -> dict[str, int]:
        """The number of people (`person`), of anonymous voices (`voice`) and of unknown speakers (`unknown`)."""
        from earshot.speakers.browsing.listing import count_kinds

        return count_kinds(self._database)

    def overview(self, who: str) -> "SpeakerOverview":
        """What a page shows of a person or voice: clips to hear, whom the voice is like, the newest videos and changes."""
        from earshot.library.people.overview import read_overview

        with self._database.snapshot() as database:  # on one connection, which is also faster
            return read_overview(database, resolve(database, who), voice_space(read_settings()))

    def places(self, who: str, after: str | None = None, limit: int = 50) -> "PlaceList":
        """The videos in which a person or voice speaks, newest first, after this cursor."""
        from earshot.speakers.browsing.places import list_places

        return list_places(self._database, resolve(self._database, who), after, limit)

    @property
    def voice_model(self) -> str:
        """The name of the model whose voice vectors are compared, that of the settings."""
        return voice_space(read_settings()).model

    def count_incomparable(self) -> int:
        """The number of videos whose voice vectors are of another model, and so are compared with nothing."""
        return count_other_spaces(self._database, voice_space(read_settings()))

    def show(self, who: str) -> "SpeakerDetails":
        """Where a person or voice speaks and why that was decided, with their recordings and corrections."""
        from earshot.speakers.people.details import show_known

        return show_known(self._database, resolve(self._database, who), voice_space(read_settings()))

    def enrolment(self, name: str) -> "PersonEnrolment":
        """The enrolment of a person, known or new: `assess()` excerpts of a recording, then `keep()` the good ones."""
        from earshot.library.people.enrolment import PersonEnrolment

        return PersonEnrolment(self._database, name)

    def enrol_listed(self) -> "ListedEnrolments":
        """Judge the new recordings in people.yaml, keep those that are good enough, and identify all speakers again."""
        from earshot.library.people.enrolment import judge_listed

        return judge_listed(self._database)

    def calibration(self) -> "LibraryCalibration":
        """The speakers from which a voice threshold can be computed, and the computation."""
        from earshot.library.people.calibration import read_library

        return read_library(self._database)

    def named(self, person: str) -> str:
        """The person's name as it is stored. Raises EarshotError for an anonymous voice, too."""
        return _known_person(self._database, person).name

    def traces(self, who: str) -> "ForgetSummary":
        """What the library has of a person or voice: what `forget()` would delete, and, except for vectors, `remove()`."""
        from earshot.speakers.people.forget import count_traces

        return count_traces(self._database, resolve(self._database, who))

    def require_unlisted(self, who: str) -> None:
        """Raise EarshotError if people.yaml lists the person, who can then be neither removed nor forgotten."""
        from earshot.speakers.people.forget import require_unlisted

        known = resolve(self._database, who)
        if known.person_id is not None:
            require_unlisted(read_settings(), known.name)

    def rename(self, person: str, name: str) -> SpeakerChange:
        """Rename a person. Raises EarshotError if the name is not allowed or taken, or if people.yaml lists the person."""
        from earshot.speakers.people.rename import rename

        with identifying_again(self._database, self._made_by) as identification:
            who = _known_person(self._database, person)
            stored_name, identification.change = rename(self._database, read_settings(), who, name)
        message = f"Renamed {who.name} to {stored_name}. This is change {identification.change}."
        return SpeakerChange(message, identification.renamed, identification.change, stored_name)

    def merge(self, person: str, into: str) -> SpeakerChange:
        """Merge `person` into `into`, which takes over their recordings, corrections and notes.

        Raises EarshotError, and changes nothing, if corrections would contradict each other.
        """
        from earshot.speakers.people.rename import merge

        with identifying_again(self._database, self._made_by) as identification:
            gone, stays = _known_person(self._database, person), _known_person(self._database, into)
            moved, identification.change = merge(self._database, read_settings(), gone, stays)
        message = f"Merged {gone.name} into {stays.name}: {moved} moved. This is change {identification.change}."
        return SpeakerChange(message, identification.renamed, identification.change, stays.name)

    def remove(self, person: str) -> SpeakerChange:
        """Remove a person with their recordings and corrections; the vectors of their voice in videos stay. This cannot be
        undone. Raises EarshotError if people.yaml lists the person."""
        from earshot.speakers.people.forget import remove

        with identifying_again(self._database) as identification:
            who = _known_person(self._database, person)
            self.require_unlisted(who.name)
            removed = remove(self._database, who)
        return SpeakerChange(f"Removed {who.name}, {removed}.", identification.renamed, person=who.name)

    def forget(self, who: str) -> "ForgetSummary":
        """Forget a person or voice, with every vector of the voice; returns what was deleted. Audio and transcripts stay.

        This cannot be undone. Raises EarshotError if people.yaml lists the person, or if one of the videos has an active run.
        """
        from earshot.speakers.people.forget import forget

        self.require_unlisted(who)
        return forget(self._database, resolve(self._database, who))


def _known_person(database: Database, text: str) -> SpeakerRef:
    """The person with this name; raises EarshotError if there is none, also for an anonymous voice."""
    who = resolve(database, text)
    if who.person_id is None:
        raise EarshotError(
            f"{who.name} is an anonymous voice, not a person.",
            "Name it with `earshot people correct`, or delete it with `earshot people forget`.",
        )
    return who
