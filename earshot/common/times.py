"""Times in a recording: formats them for people, and makes links that open the recording there.

earshot/common/excerpt.py parses the times that people write.
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
    """A link that opens the recording at this second: `t=` for YouTube, a Media Fragment elsewhere.

    `url` is an http(s) URL or an absolute path, like `Video.url`.
    """
    seconds = int(start_s)
    host = urlsplit(url).hostname or ""
    if host in ("youtu.be", "youtube.com") or host.endswith(".youtube.com"):
        return f"{url}{'&' if '?' in url else '?'}t={seconds}s"
    return f"{browsable(url)}#t={seconds}"


def browsable(url: str) -> str:
    """A URL for a browser: the URL itself, or the path as an escaped file:// URL."""
    return Path(url).as_uri() if url.startswith("/") else url
