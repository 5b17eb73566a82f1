"""MCP over stdin and stdout: a client starts `earshot mcp` and speaks with it. Nothing else is written to stdout."""

import anyio
from mcp.server.stdio import stdio_server

from earshot.config.home import page_url
from earshot.config.settings import read_settings
from earshot.integrations.mcp.context import Answer
from earshot.integrations.mcp.server import create_server
from earshot.library.library import Library
from earshot.library.reading.page_client import search_by_page
from earshot.library.reading.question import Question, SearchResult


def serve(library: Library, corrections: bool) -> None:
    """Serve until stdin ends. The database is opened, and a model loaded, when a tool first needs it."""
    anyio.run(_serve, library, corrections)


async def _serve(library: Library, corrections: bool) -> None:
    home = read_settings().home
    server = create_server(library, answer_by_page(library), lambda _: page_url(home), corrections)
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())


def answer_by_page(library: Library) -> Answer:
    """Ask the running page, whose text model is loaded; without one, search in this process."""

    def answer(question: Question, words_only: bool) -> SearchResult:
        return search_by_page(question, words_only) or library.answer(question, words_only)

    return answer
