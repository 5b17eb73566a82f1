"""Asks the running page, whose text model is loaded, so that a search on the command line takes a third of a second.

Uses only the standard library. If no page answers, the caller searches in its own process.
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from earshot.common.errors import EarshotError
from earshot.config.home import page_url
from earshot.config.settings import read_settings
from earshot.library.reading.question import Question, SearchResult
from earshot.transcripts.search.hits import Captions, Duplicate, Hit

TIMEOUT_S = 30.0


def search_by_page(question: Question, words_only: bool) -> SearchResult | None:
    """The page's answer; None if no page runs here or it cannot answer now. Raises EarshotError if the question is wrong."""
    query = {
        "q": question.text,
        "limit": question.limit,
        "page": question.page,
        "speaker": question.speaker,
        "source": question.sources,
        "video": question.videos,
        "language": question.languages,
        "since": question.since,
        "until": question.until,
        "words": words_only,
    }
    read = ask_page("search", query)
    if read is None:
        return None
    hits = tuple(_hit(hit) for hit in read.pop("hits"))
    words = {key: tuple(read.pop(key)) for key in ("absent_words", "notable_absences")}
    return SearchResult(hits, **words, **read)


def _hit(read: dict[str, Any]) -> Hit:
    published = read.pop("published_at")
    copies = tuple(Duplicate(**copy) for copy in read.pop("copies"))
    marks = tuple((start, end) for start, end in read.pop("marks"))
    speakers = tuple(read.pop("speakers"))
    captions = read.pop("captions")
    whose = Captions(**captions) if captions else None
    when = datetime.fromisoformat(published) if published else None
    return Hit(**read, published_at=when, speakers=speakers, copies=copies, marks=marks, captions=whose)


def ask_page(path: str, query: Mapping[str, Any]) -> Any | None:
    """The JSON at this path under /api/v1; None if no page runs here or it cannot answer now.

    Raises EarshotError with the page's message if the question is wrong.
    """
    settings = read_settings()
    url = page_url(settings.home)
    if url is None:
        return None
    request = urllib.request.Request(f"{url}/api/v1/{path}?{urlencode(_sent(query), doseq=True)}")
    if settings.page_token:
        request.add_header("Authorization", f"Bearer {settings.page_token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the page is on this machine
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(error)
    except (OSError, http.client.HTTPException, ValueError):  # killed, or another program has its port
        return None


def _sent(query: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in query.items() if value not in (None, False, ()) and value != []}
    return {key: _text(value) for key, value in values.items()}


def _text(value: Any) -> Any:
    if value is True:
        return "true"
    return value.isoformat() if isinstance(value, date | datetime) else value


def _refused(error: urllib.error.HTTPError) -> None:
    """Raise the problem if it is about the question; an answer from this process may be better otherwise."""
    if error.code not in (404, 422):
        return
    with suppress(ValueError):
        problem = json.load(error)
        raise EarshotError(problem["title"], problem["detail"])
