"""Times: formats those in a recording and durations for people, makes links that open the recording there, and
computes how much of a pause is left, by clocks that may be wrong.

earshot/common/excerpt.py parses the times that people write.
"""

import math
from pathlib import Path
from urllib.parse import urlsplit

CLOCKS_DIFFER_S = 60.0  # within which the clocks of several machines differ; a time further ahead was by a wrong clock


def seconds_left(pause_s: float, ago_s: float) -> float:
    """Seconds until a pause that began `ago_s` ago is over: at most all of it, even if a clock was set back since."""
    return min(max(pause_s - ago_s, 0.0), pause_s)


def format_hms(seconds: float) -> str:
    """h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def format_exact(seconds: float) -> str:
    """h:mm:ss.mmm, to the nearest millisecond."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{format_hms(whole)}.{thousandths:03d}"


def tenths(seconds: float) -> str:
    """Seconds rounded down to a tenth, so that 2.99 s, which is below a limit of 3 s, is not displayed as 3.0."""
    return f"{math.floor(seconds * 10 + 1e-6) / 10:.1f}"


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
