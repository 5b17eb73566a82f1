"""`earshot webhooks`: the log of what was posted to endpoints; replays and tests."""

import sys
from dataclasses import asdict
from datetime import datetime

import click

from earshot import open_library
from earshot.cli.output import json_option, print_json, print_table
from earshot.common.text import pluralize
from earshot.config.settings import read_settings
from earshot.library.upkeep.webhooks import STATES, Delivery

HEADINGS = [
    ("no.", "right"),
    ("at (UTC)", "left"),
    ("event", "left"),
    ("video", "left"),
    ("endpoint", "left"),
    ("state", "left"),
    ("attempts", "right"),
]


@click.group("webhooks", invoke_without_command=True)
@click.option("--state", type=click.Choice(STATES), help="Only deliveries in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, help="At most so many, the latest.")
@json_option
@click.pass_context
def webhooks_command(context: click.Context, state: str | None, limit: int, as_json: bool) -> None:
    """List what was posted to webhooks, replay or test them.

    Without a command, lists the endpoints of webhooks.yaml and the deliveries of the last 30 days: events and alerts. See
    docs/guides/operation/webhooks.md.
    """
    if context.invoked_subcommand is not None:
        return
    webhooks = open_library().webhooks
    endpoints, deliveries = webhooks.endpoints(), webhooks.deliveries(state, limit)
    if as_json:
        print_json({"endpoints": endpoints, "deliveries": [asdict(delivery) for delivery in deliveries]})
        return
    for name, events in endpoints.items():
        click.echo(f"{name}: {', '.join(events)}")
    if not endpoints:
        click.echo(f"There are no endpoints. To add one, write it into {read_settings().webhooks}.")
    if deliveries:
        print_table(HEADINGS, [_row(delivery) for delivery in deliveries])
    else:
        click.echo("No deliveries.")


@webhooks_command.command("replay")
@click.argument("deliveries", nargs=-1)
@click.option("--failed", is_flag=True, help="All that were given up or wait for another attempt.")
@json_option
def replay_command(deliveries: tuple[str, ...], failed: bool, as_json: bool) -> None:
    """Post deliveries again.

    DELIVERIES are numbers of the list or webhook ids, also of accepted ones. Each has the webhook id that it had, by which its
    receiver knows a repetition. `earshot up` posts them.
    """
    if bool(deliveries) == failed:
        raise click.UsageError("Name deliveries, or all that failed with --failed.")
    webhooks = open_library().webhooks
    replayed = webhooks.replay_failed() if failed else webhooks.replay(*deliveries)
    if as_json:
        print_json({"replayed": replayed})
    else:
        click.echo(f"{pluralize(len(replayed), 'event')} due now; `earshot up` posts what is due.")


@webhooks_command.command("test")
@click.argument("endpoint", required=False)
@json_option
def test_command(endpoint: str | None, as_json: bool) -> None:
    """Post an event `webhook.test` to an endpoint, or to all, now and once."""
    attempts = open_library().webhooks.test(endpoint)
    if as_json:
        print_json([asdict(attempt) for attempt in attempts])
    else:
        for attempt in attempts:
            click.echo(f"{attempt.endpoint}: {attempt.error or f'accepted with {attempt.status}'}")
    if any(attempt.error for attempt in attempts):
        sys.exit(1)


def _row(delivery: Delivery) -> tuple[str, ...]:
    return (
        str(delivery.number),
        _minute(delivery.occurred_at),
        delivery.event,
        delivery.video_id or "",
        delivery.endpoint,
        _state(delivery),
        str(delivery.attempts),
    )


def _state(delivery: Delivery) -> str:
    """The state in words, with the reason and time of the next attempt after a failed one."""
    if delivery.state == "delivered":
        return f"delivered {_minute(delivery.delivered_at)}"
    if delivery.state == "given_up":
        return f"given up: {delivery.error}"
    if delivery.error is None:
        return "pending"
    return f"pending, next at {_minute(delivery.next_at)}: {delivery.error}"


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else ""
