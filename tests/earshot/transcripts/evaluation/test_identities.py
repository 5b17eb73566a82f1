"""Identities: pairs of appearances that are joined and merged."""

import pytest

from earshot.transcripts.evaluation.identities import PersonInVideo, compare_identities, is_local


def test_recurring_person_is_joined_or_split() -> None:
    found = compare_identities(
        [PersonInVideo(video, "Ana", identity) for video, identity in (("a", "v1"), ("b", "v1"), ("c", None))]
    )
    assert (found.appearances, found.unidentified, found.recurring_pairs, found.joined_pairs) == (3, 1, 3, 1)
    assert (found.different_pairs, found.split, found.merged) == (0, {"Ana": ("v1", None)}, {})


def test_two_people_under_one_voice_are_merged() -> None:
    found = compare_identities(
        [PersonInVideo("a", "Ana", "v1"), PersonInVideo("b", "Ben", "v1"), PersonInVideo("b", "Cleo", "v2")]
    )
    assert (found.recurring_pairs, found.different_pairs, found.merged_pairs) == (0, 3, 1)
    assert found.merged == {"v1": ("Ana", "Ben")}


def test_unidentified_people_are_not_merged() -> None:
    found = compare_identities([PersonInVideo("a", "Ana", None), PersonInVideo("b", "Ben", None)])
    assert (found.different_pairs, found.merged_pairs, found.merged) == (1, 0, {})


def test_local_labels_are_compared_within_their_recording_only() -> None:
    two = [PersonInVideo("a", "spk0", "v1"), PersonInVideo("a", "spk1", "v2"), PersonInVideo("b", "spk0", "v2")]
    found = compare_identities(two)
    assert (found.recurring_pairs, found.different_pairs, found.merged_pairs, found.split) == (0, 1, 0, {})
    found = compare_identities([*two, PersonInVideo("b", "spk1", "v2")])
    assert (found.different_pairs, found.merged_pairs) == (2, 1)
    assert found.merged == {"v2": ("spk0 in b", "spk1 in a", "spk1 in b")}


@pytest.mark.parametrize("label", ["spk00", "speaker90", "SPEAKER_01", "Speaker 1", "speaker A", "A", "3", "S0"])
def test_common_labels_are_local(label: str) -> None:
    assert is_local(label)


@pytest.mark.parametrize("label", ["Ana", "MEE006", "voice 7", "id10270", "Al", "Unknown", "Speakerman"])
def test_names_are_not_local(label: str) -> None:
    assert not is_local(label)
