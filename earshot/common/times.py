"""Moments: a time in a recording as people read it, and the link that opens the recording there.

How a time is written by people is read in earshot/common/excerpt.py.
"""

from pathlib import Path
from urllib.parse import urlsplit


def format_hms(seconds: float) -> str:
    """h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def format_exact(seconds: float) -> str:
    """h:mm:ss.mmm, to the nearest millisecond."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{format_hms(whole)}.{thousandths:03d}"


def link_at(url: str, start_s: float) -> str:
    """A link that opens the recording at this second, in the way the site knows; a Media Fragment elsewhere.

    `url` is an http(s) URL or an absolute path, as `Video.url`.
    """
    seconds = int(start_s)
    host = urlsplit(url).hostname or ""
    if host in ("youtu.be", "youtube.com") or host.endswith(".youtube.com"):
        return f"{url}{'&' if '?' in url else '?'}t={seconds}s"
    return f"{browsable(url)}#t={seconds}"


def browsable(url: str) -> str:
    """What a browser opens: the URL, or file:// and the path, escaped."""
    return Path(url).as_uri() if url.startswith("/") else url
