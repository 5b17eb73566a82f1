"""Links from each asset to its code: at the commit on GitHub or GitLab if `origin` is there, else to the local file."""

import re
import subprocess
import warnings
from collections.abc import Sequence
from typing import Literal

from dagster import (
    AnchorBasedFilePathMapping,
    AssetsDefinition,
    BetaWarning,
    link_code_references_to_git,
    with_source_code_references,
)

from earshot.config.settings import PROJECT_ROOT
from earshot.timings.timing import git_commit

# The host and path of an address such as git@github.com:owner/name.git; what is before the host may be a token.
_ORIGIN = re.compile(r"(?:.*@|.*://)(?P<host>[^/@:]*(?:github|gitlab)[^/@:]*)(?::\d+)?[:/]+(?P<path>[^@?#]+?)(?:\.git)?/?")


def with_code_references(assets: Sequence[AssetsDefinition]) -> list[AssetsDefinition]:
    """The assets with `dagster/code_references`."""
    commit = git_commit()
    url = repository_url(_origin()) if commit else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)
        referenced = with_source_code_references(assets)
        if url and commit:
            platform: Literal["gitlab", "github"] = "gitlab" if "gitlab" in url else "github"
            from_root = AnchorBasedFilePathMapping(PROJECT_ROOT, "")
            referenced = link_code_references_to_git(referenced, url, commit, from_root, platform)
    return [asset for asset in referenced if isinstance(asset, AssetsDefinition)]


def repository_url(origin: str) -> str:
    """The repository's page on GitHub or GitLab, without the credentials that an origin may have; "" if it is elsewhere."""
    match = _ORIGIN.fullmatch(origin)
    return f"https://{match['host']}/{match['path']}" if match else ""


def _origin() -> str:
    command = ["git", "-C", str(PROJECT_ROOT), "config", "--get", "remote.origin.url"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
