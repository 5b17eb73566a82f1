"""Templates: HTML from Jinja, with everything that a feed, a title or a speaker says escaped as text.

A template gets `path`, its own, `ui`, the address of Dagster's UI or None, and the filters below.
"""

import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from earshot.common.text import pluralize
from earshot.common.times import browsable, format_hms
from earshot.config.home import ui_url
from earshot.config.settings import read_settings

PACKAGE = files("earshot.page")
STATIC = str(PACKAGE / "static")

_CODE = re.compile(r"`([^`\n]+)`")


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The template with these values as a page."""
    text = _templates().get_template(template).render(path=request.url.path, ui=ui_url(read_settings().home), **values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-cache"})


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(str(PACKAGE / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "hms": format_hms,
        "day": day,
        "when": when,
        "plural": pluralize,
        "query": query,
        "without": without,
        "plain": plain,
        "web": web_url,
        "speaker_url": speaker_url,
        "coded": coded,
    }
    return templates


def coded(text: str) -> Markup:
    """The text of a message as HTML, with what is between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def day(time: datetime | None) -> str:
    """`2026-11-27`, in UTC; "" for None."""
    return f"{time.astimezone(UTC):%Y-%m-%d}" if time else ""


def when(time: datetime | None) -> str:
    """`2026-11-27 04:32`, in UTC; "" for None."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" if time else ""


def query(values: dict[str, Any], **changes: Any) -> str:
    """The query string of an address, with these changes; empty values are left out."""
    chosen = {name: value for name, value in {**values, **changes}.items() if value not in (None, "", [], ())}
    return f"?{urlencode(chosen, doseq=True)}" if chosen else ""


def without(values: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The values of an address without this one, and on its first page."""
    kept = {key: kept for key, kept in values.items() if key not in (name, "page")}
    others = [other for other in values[name] if other != value] if isinstance(values[name], list) else []
    return {**kept, name: others}


def plain(question: str) -> str:
    """The question without quotation marks, and without the words that it excludes."""
    return " ".join(word for word in re.sub(r'["“”„«»]', " ", question).split() if not word.startswith("-"))


def web_url(url: str) -> str:
    """The URL if a browser may open it from a page (http, https); "" for files and anything else."""
    link = browsable(url)
    return link if link.startswith(("http://", "https://")) else ""


def speaker_url(speaker: Any) -> str:
    """The page of a listed person or voice; that of all people for None."""
    if speaker is None:
        return "/people"
    return f"/people/voice-{speaker.voice}" if speaker.voice is not None else f"/people/{quote(speaker.name, safe='')}"
