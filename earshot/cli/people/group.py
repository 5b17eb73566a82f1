"""The group `earshot people` with its commands."""

import click

from earshot.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS = {
    "calibrate": LazyCommand(
        "earshot.cli.people.calibrate:calibrate_command",
        "Compute from this library from which cosine similarity on two voices are one person.",
    ),
    "correct": LazyCommand(
        "earshot.cli.people.correct:correct_command",
        'Say who speaks in WHAT: a voice ("voice 7"), a speaker (VIDEO@SPEAKER_01), or a turn by its time (VIDEO@0:12:30).',
    ),
    "enrol": LazyCommand(
        "earshot.cli.people.enrol:enrol_command", "Make NAME known by a recording: whoever speaks longest in it."
    ),
    "forget": LazyCommand(
        "earshot.cli.people.people:forget_command",
        'Forget WHO (a name, or "voice 7"): profile, recordings, corrections, and all vectors of that voice, for good.',
    ),
    "list": LazyCommand(
        "earshot.cli.people.people:list_command",
        "List people and anonymous voices, those of most videos first: how much they speak, and how that was decided.",
    ),
    "merge": LazyCommand(
        "earshot.cli.people.people:merge_command",
        "Make two people one: the OTHER has the enrolments, corrections and notes of ONE, whose name is gone.",
    ),
    "remove": LazyCommand(
        "earshot.cli.people.people:remove_command", "Remove the person NAME with enrolments and corrections, for good."
    ),
    "rename": LazyCommand(
        "earshot.cli.people.people:rename_command",
        "Give the person OLD the name NEW, in all that is shown and exported from now on.",
    ),
    "show": LazyCommand(
        "earshot.cli.people.people:show_command",
        'Show WHO (a name, or "voice 7"): where they speak and why that was decided, their recordings, their corrections.',
    ),
}


@click.group("people", cls=LazyGroup, lazy_commands=COMMANDS)
def people_group() -> None:
    """Who is speaking: people, their recordings, and corrections."""
