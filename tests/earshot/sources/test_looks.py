"""The message of a tick: what was seen, what stood in the way, and when the next look is due."""

from datetime import UTC, datetime, timedelta

from earshot.config.sources_file import Kind, Source
from earshot.sources.looks import describe_tick
from earshot.sources.polling import PollResult
from earshot.storage.catalog.entries import Validators
from earshot.storage.catalog.source_states import SourceState, next_look


def source(name: str = "Harbour Talk", kind: Kind = Kind.FEED) -> Source:
    return Source(kind, f"https://x/{name}", name, every_s=240.0)


def state(looked: float | None = 0.0, paused: float | None = None, fully_listed: bool = True) -> SourceState:
    """Looked at and paused until so many seconds from now."""
    now = datetime.now(UTC)
    looked_at, paused_until = (None if s is None else now + timedelta(seconds=s) for s in (looked, paused))
    return SourceState(
        "", "", Validators(), None, fully_listed, looked_at, 1, 0, None, blocks=0, paused_until=paused_until, undecided=False
    )


def test_look_with_news() -> None:
    poll = PollResult(source(), new=2, requested=2, polled=True, listed=15)
    assert describe_tick([poll], [(source(), state())]) == ("Harbour Talk: 2 new of 15, 2 runs requested; next look in 4 min.")


def test_look_without_news() -> None:
    watched = [(source(), state())]
    assert describe_tick([PollResult(source(), polled=True, listed=15)], watched).startswith("Harbour Talk: nothing new of 15;")
    assert describe_tick([PollResult(source(), polled=True)], watched).startswith("Harbour Talk: unchanged;")


def test_listing_by_a_run() -> None:
    poll = PollResult(source(), polled=True, listing_key="0:1")
    assert "a run lists all" in describe_tick([poll], [(source(), state(fully_listed=False))])


def test_error_is_described_first() -> None:
    polls = [PollResult(source(str(number)), polled=True, listed=1) for number in range(7)]
    polls.append(PollResult(source(), error="Harbour Talk: the site answers 404. Check the address."))
    message = describe_tick(polls, [(poll.source, state()) for poll in polls])
    assert message.startswith("Harbour Talk: the site answers 404. Check the address; 0: nothing new of 1;")
    assert "; 3 more sources looked at; next look in 4 min." in message


def test_nothing_is_due() -> None:
    watched = [(source(), state(looked=-200.0)), (source("B"), state(paused=7 * 3600.0))]
    assert describe_tick([], watched) == "none of 2 sources is due; next look in 40 s."
    assert describe_tick([], watched[:1]) == "Harbour Talk is not due; next look in 40 s."


def test_next_look() -> None:
    waiting = state(paused=60.0)
    assert next_look(source(), waiting) == waiting.paused_until
    assert next_look(source(kind=Kind.URL), state()) is None
    assert describe_tick([], [(source(), state(looked=None))]).endswith("next look at once.")
    assert describe_tick([], [(source(kind=Kind.URL), state())]) == "Harbour Talk is not due."
