"""The group `earshot people` with its commands."""

import click

from earshot.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS = {
    "calibrate": LazyCommand(
        "earshot.cli.people.calibrate:calibrate_command",
        "Compute the voice threshold from this library.",
    ),
    "correct": LazyCommand(
        "earshot.cli.people.correct:correct_command",
        "Correct who is speaking.",
    ),
    "enrol": LazyCommand("earshot.cli.people.enrol:enrol_command", "Enrol a person from a recording of their voice."),
    "forget": LazyCommand(
        "earshot.cli.people.people:forget_command",
        "Forget a person or voice, including all voice vectors.",
    ),
    "list": LazyCommand(
        "earshot.cli.people.people:list_command",
        "List people and anonymous voices.",
    ),
    "merge": LazyCommand(
        "earshot.cli.people.people:merge_command",
        "Merge one person into another.",
    ),
    "remove": LazyCommand(
        "earshot.cli.people.people:remove_command", "Remove a person, with their recordings and corrections."
    ),
    "rename": LazyCommand(
        "earshot.cli.people.people:rename_command",
        "Rename a person.",
    ),
    "show": LazyCommand(
        "earshot.cli.people.people:show_command",
        "Show where a person or voice speaks, and why.",
    ),
}


@click.group("people", cls=LazyGroup, lazy_commands=COMMANDS)
def people_group() -> None:
    """Manage people, their recordings and corrections."""
