"""The server as programs reach it: a process over stdin and stdout, and the page over HTTP."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from earshot import Library
from earshot.config.home import page_file
from earshot.integrations.mcp.server import CORRECTING, READING
from earshot.library.reading.question import Question, SearchResult
from earshot.page.http.access import access_to
from earshot.storage.database import Database
from tests.earshot.integrations.mcp.conftest import answered, refused, with_client
from tests.earshot.page.conftest import own_files as own_files  # the page's files are not the clone's
from tests.earshot.page.conftest import serving_page

pytestmark = pytest.mark.slow  # starts processes and servers

TOKEN = "correct horse battery staple"
CALLS = (
    ("search", {"question": '"Bo in two"', "words": True}),
    ("who_said", {"about": '"Bo in two"', "words": True}),
    ("transcript", {"video": "one", "at": "0:15"}),
    ("people", {}),
    ("appearances", {"who": "voice 1"}),
    ("videos", {"state": "ready"}),
    ("new_videos", {}),
)


async def tools_and_calls(client: Client) -> tuple[list[str], list[CallToolResult]]:
    """The names of the tools, and the answers to CALLS and to a wrong call."""
    listed = await client.list_tools()
    called = [await client.call_tool(tool, arguments) for tool, arguments in (*CALLS, ("transcript", {"video": "four"}))]
    return [tool.name for tool in listed.tools], called


def check(listed: list[str], called: list[CallToolResult], corrections: bool = False) -> None:
    """Every call is answered, the wrong one with its remedy."""
    assert listed == [tool.name for tool in (*READING, *(CORRECTING if corrections else ()))]
    assert [tool for tool, _ in CALLS] == [tool.name for tool in READING]
    for result in called[:-1]:
        assert answered(result)
    assert refused(called[-1]) == "There is no video 'four'. `earshot videos` lists the videos."


def process(*options: str) -> StdioServerParameters:
    """`earshot mcp` with these options."""
    code = "from earshot.cli import main; main()"
    return StdioServerParameters(command=sys.executable, args=["-c", code, "mcp", *options], env=dict(os.environ))


@pytest.mark.usefixtures("named")
def test_process_answers_over_stdin_and_stdout() -> None:
    listed, called = with_client(process("--allow-corrections"), tools_and_calls, "legacy")
    check(listed, called, corrections=True)
    assert answered(called[0])["passages"][0]["page"] is None


@pytest.fixture(scope="module")
def page(named: Database) -> Iterator[str]:
    """A real page of the library, open to this machine."""
    assert named
    with serving_page(Library()) as url:
        yield url


@pytest.mark.usefixtures("named")
def test_interrupt_ends_the_process_at_once() -> None:
    started = process()
    with subprocess.Popen([started.command, *started.args], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        running.stdin.flush()
        assert json.loads(running.stdout.readline()) == {"jsonrpc": "2.0", "id": 1, "result": {}}
        running.send_signal(signal.SIGINT)
        assert running.wait() == 130


def test_process_asks_the_running_page(page: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answer = Library.answer

    def remember(library: Library, question: Question, words_only: bool = False) -> SearchResult:
        asked.append(question.text)
        return answer(library, question, words_only)

    monkeypatch.setattr(Library, "answer", remember)  # of the page, which is in this process
    page_file(home).write_text(json.dumps({"pid": os.getpid(), "url": page}))
    try:
        listed, called = with_client(process(), tools_and_calls)
    finally:
        page_file(home).unlink()
    check(listed, called)
    assert asked == ['"Bo in two"'] * 2
    assert answered(called[0])["passages"][0]["page"].startswith(f"{page}/videos/two?t=")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_page_answers_over_http(page: str, mode: str) -> None:
    listed, called = with_client(f"{page}/mcp", tools_and_calls, mode)
    check(listed, called)
    [first, _] = answered(called[0])["passages"]
    assert first["page"] == f"{page}/videos/two?t={int(first['start_s'])}"
    with urllib.request.urlopen(first["page"]) as shown:
        assert b"Talk two" in shown.read()


def test_other_site_and_other_method_are_refused(page: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    for headers, method, status in (
        ({"Origin": "http://other.example"}, "POST", 403),
        ({"Host": "rebound.example"}, "POST", 421),
        ({}, "GET", 405),
        ({}, "DELETE", 405),
    ):
        request = urllib.request.Request(f"{page}/mcp", body if method == "POST" else None, headers, method=method)
        request.add_header("Content-Type", "application/json")
        with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request):
            pass
        assert caught.value.code == status


def test_token_opens_the_page_beyond_loopback(named: Database) -> None:
    assert named
    with serving_page(Library(), access_to("0.0.0.0", [], TOKEN), mcp_corrections=True) as url:
        with httpx2.Client() as anyone:
            assert anyone.post(f"{url}/mcp", json={}).status_code == 401
            assert anyone.get(f"{url}/metrics").status_code == 401
        client = httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"})
        listed, called = with_client(streamable_http_client(f"{url}/mcp", http_client=client), tools_and_calls)
        check(listed, called, corrections=True)
        wrong = httpx2.AsyncClient(headers={"Authorization": "Bearer guess"})
        with pytest.raises(BaseExceptionGroup):
            with_client(streamable_http_client(f"{url}/mcp", http_client=wrong), tools_and_calls)
