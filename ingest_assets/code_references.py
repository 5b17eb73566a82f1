"""Links from each asset to its code: at the commit on GitHub or GitLab if `origin` is there, else to the local file."""

import inspect
import re
import subprocess
import warnings
from functools import cache
from pathlib import Path

from dagster import AssetsDefinition, BetaWarning, CodeReferencesMetadataValue, LocalFileCodeReference, UrlCodeReference

from earshot.config.settings import PROJECT_ROOT
from earshot.timings.timing import git_commit

# The host and path of an address such as git@github.com:owner/name.git; what is before the host may be a token.
_ORIGIN = re.compile(r"(?:.*@|.*://)(?P<host>[^/@:]*(?:github|gitlab)[^/@:]*)(?::\d+)?[:/]+(?P<path>[^@?#]+?)(?:\.git)?/?")


def code_references(asset: AssetsDefinition) -> dict[str, CodeReferencesMetadataValue]:
    """`dagster/code_references` of the asset, for its definition's metadata."""
    function = inspect.unwrap(asset.op.compute_fn.decorated_fn)  # pyright: ignore[reportAttributeAccessIssue]
    path, line = Path(inspect.getfile(function)), inspect.getsourcelines(function)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)
        url = _url(path, line)
        reference = UrlCodeReference(url=url) if url else LocalFileCodeReference(file_path=str(path), line_number=line)
        return {"dagster/code_references": CodeReferencesMetadataValue(code_references=[reference])}


def _url(path: Path, line: int) -> str:
    """The line at today's commit, "" if the clone has no such origin or is not a clone."""
    base, commit = base_url(_origin()), git_commit()
    return f"{base}{commit}/{path.relative_to(PROJECT_ROOT)}#L{line}" if base and commit else ""


def base_url(origin: str) -> str:
    """What the URL of a file at a commit begins with, without the credentials that an origin may have; "" if it is unknown."""
    match = _ORIGIN.fullmatch(origin)
    if not match:
        return ""
    middle = "-/blob" if "gitlab" in match["host"] else "blob"
    return f"https://{match['host']}/{match['path']}/{middle}/"


@cache
def _origin() -> str:
    command = ["git", "-C", str(PROJECT_ROOT), "config", "--get", "remote.origin.url"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
