"""`earshot correct`: words replaced, listed and given back."""

import json

import pytest

from earshot.storage.database import Database
from tests.earshot.cli.conftest import Earshot
from tests.support.library import fill


@pytest.fixture(autouse=True)
def call(database: Database) -> None:
    """Video `call`."""
    fill(database, ["call"], [" The", " Port", " Author", " ity", " paid."])


def test_words_are_corrected_listed_and_given_back(earshot: Earshot) -> None:
    corrected = earshot("correct", "call@0:00:00", "port author ity", "Port Authority")
    assert corrected.code == 0
    assert corrected.out.endswith("'Port Author ity' is now 'Port Authority' at 0:00:01.\n")
    [listed] = json.loads(earshot("correct", "--list", "--json").out)
    assert (listed["video_id"], listed["text"], listed["heard"]) == ("call", "Port Authority", "Port Author ity")
    number = listed["number"]
    assert earshot("correct", "call", "--list").out == f"{number}: call 0:00:01 'Port Author ity' is 'Port Authority'\n"
    assert earshot("correct", "--undo", str(number)).out.startswith(f"Undid word correction {number}: ")
    assert earshot("correct", "--list").out == "No words were corrected.\n"


def test_words_are_deleted(earshot: Earshot) -> None:
    assert "'paid.' is deleted" in earshot("correct", "call", "paid", "").out
    assert earshot("export", "call").out.endswith("The Port Author ity\n")


@pytest.mark.parametrize(
    "arguments",
    [[], ["call"], ["call", "old"], ["call", "old", "new", "--list"], ["call", "--undo", "1"], ["--undo", "0"]],
)
def test_wrong_call_is_refused(earshot: Earshot, arguments: list[str]) -> None:
    assert earshot("correct", *arguments).code == 2


def test_words_that_are_not_said_are_refused(earshot: Earshot) -> None:
    refused = earshot("correct", "call", "boat", "ship")
    assert (refused.code, refused.out) == (1, "")
    assert "'boat' is not said in call" in refused.err
