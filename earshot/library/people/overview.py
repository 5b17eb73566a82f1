"""The overview of one person or voice: what a page shows of them at once, however many videos they speak in."""

from dataclasses import dataclass, replace

from earshot.speakers.browsing.clips import Clip, clips_of
from earshot.speakers.browsing.history import Change, ChangeHistory, changes_about
from earshot.speakers.browsing.likeness import LikePerson, LikeVoice, like_people, like_voices
from earshot.speakers.browsing.listing import Kind, ListedSpeaker, SpeakerList, find_listed
from earshot.speakers.browsing.places import PlaceList, list_places
from earshot.speakers.people.details import Enrolment, Moment, enrolments_of, moments_of
from earshot.speakers.people.forget import ForgetSummary
from earshot.speakers.tables.corrections import CorrectionKind
from earshot.speakers.tables.people import find_person
from earshot.speakers.tables.voice_space import VoiceSpace
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef

__all__ = ["ChangeHistory", "ForgetSummary", "Kind", "PlaceList", "SpeakerList", "SpeakerOverview", "read_overview"]

PLACES = 20
CHANGES = 20
MOMENTS = 50


@dataclass(frozen=True)
class SpeakerOverview:
    """A person or voice: totals; clips to hear; for a voice, the people and voices it is like; the newest places and changes;
    for a person, notes, recordings with their quality, and single turns that corrections give to them."""

    speaker: ListedSpeaker
    notes: str
    clips: tuple[Clip, ...]
    like_people: tuple[LikePerson, ...]
    like_voices: tuple[LikeVoice, ...]
    places: PlaceList
    moments: tuple[Moment, ...]
    recordings: tuple[Enrolment, ...]
    changes: tuple[Change, ...]


def read_overview(database: Database, who: SpeakerRef, space: VoiceSpace) -> SpeakerOverview:
    """The overview of this person or voice. Raises Unknown if they are gone."""
    changes = changes_about(database, who, CHANGES)
    overview = SpeakerOverview(
        speaker=find_listed(database, who),
        notes="",
        clips=clips_of(database, who),
        like_people=(),
        like_voices=(),
        places=list_places(database, who, None, PLACES),
        moments=(),
        recordings=(),
        changes=changes,
    )
    if who.person_id is None:
        never = {change.person for change in changes if change.kind == CorrectionKind.NEVER}
        alike = tuple(person for person in like_people(database, who, space) if person.name not in never)
        return replace(overview, like_people=alike, like_voices=like_voices(database, who))
    person = find_person(database, who.name)
    return replace(
        overview,
        notes=person.notes if person else "",
        moments=moments_of(database, who.person_id)[:MOMENTS],
        recordings=enrolments_of(database, who.person_id, space),
    )
