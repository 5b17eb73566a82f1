"""The documentation is complete (commands, settings, formats, figures), and its links and paths lead somewhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from earshot.cli.commands import cli
from earshot.config.settings import PROJECT_ROOT
from earshot.timings.timing import KEYS
from earshot.transcripts.formats.exports import FORMATS

DOCS = PROJECT_ROOT / "docs"
REFERENCE = DOCS / "reference"
README = (PROJECT_ROOT / "README.md").read_text()
PAGES = sorted([*PROJECT_ROOT.glob("*.md"), *DOCS.rglob("*.md")])
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT_ROOT)))
PACKAGES = ("bench", "earshot", "ingest_assets", "resources", "sensors", "tests")
MODULES = sorted(path for package in PACKAGES for path in (PROJECT_ROOT / package).rglob("*.py"))
BASENAMES = {path.name for path in MODULES}

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", flags=re.DOTALL | re.MULTILINE)
# What is typed after `earshot`: in a code span, or after a prompt.
_COMMAND = re.compile(r"(?:`|^\$ )(?:\.venv/bin/)?earshot ([^`#|\n]*)", flags=re.MULTILINE)
# A path with a slash, or the file of a module alone; not `<asset>.py`, nor the end of a URL.
_PATH = re.compile(r"(?<![\w./<>-])((?:[\w-]+/)+[\w.-]+\.(?:py|sql|md|json)|[\w-]+\.py)\b(?!\()")


@pytest.mark.parametrize("page", [PROJECT_ROOT / "README.md", REFERENCE / "commands.md"], ids=lambda page: page.name)
def test_every_command_is_explained(page: Path) -> None:
    explained = page.read_text()
    assert [name for name in cli.list_commands(click.Context(cli)) if f"earshot {name}" not in explained] == []


@EACH_PAGE
def test_every_command_and_option_in_page_exists(page: Path) -> None:
    assert [typed for typed in _COMMAND.findall(page.read_text()) if _unknown(typed)] == []


@EACH_PAGE
def test_every_make_target_in_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (PROJECT_ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|^\$ )make ([\w-]+)", page.read_text(), flags=re.MULTILINE)) <= targets


def test_readme_has_at_most_200_lines() -> None:
    assert len(README.splitlines()) <= 200


@EACH_PAGE
def test_every_relative_link_resolves(page: Path) -> None:
    assert [target for target in _relative_links(page) if not _leads_somewhere(page, target)] == []


def test_every_page_is_in_the_index() -> None:
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in _relative_links(DOCS / "README.md")}
    assert [str(page) for page in DOCS.rglob("*.md") if page.name != "README.md" and page not in linked] == []


@EACH_PAGE
def test_every_path_in_page_exists(page: Path) -> None:
    assert _missing(page.read_text()) == []


def test_every_path_in_docstrings_exists() -> None:
    missing = {str(module.relative_to(PROJECT_ROOT)): _missing("\n".join(_docstrings(module))) for module in MODULES}
    assert {module: paths for module, paths in missing.items() if paths} == {}


def test_every_timing_key_is_explained() -> None:
    explained = (REFERENCE / "timings.md").read_text()
    assert [key for key in KEYS if f"`{key}`" not in explained] == []


@pytest.mark.parametrize(
    "page", [REFERENCE / "checks.md", DOCS / "guides" / "operation" / "slow-stages.md"], ids=lambda page: page.stem
)
def test_every_cause_is_explained(page: Path) -> None:
    tables = "".join(path.read_text() for path in (PROJECT_ROOT / "earshot" / "timings" / "causes").glob("*.py"))
    causes = re.findall(r"^\| (\w+) \|", tables, flags=re.MULTILINE)
    assert {"device", "starved", "io_wait"} <= set(causes)
    explained = page.read_text()
    assert [cause for cause in causes if cause != "cause" and f"`{cause}`" not in explained] == []


def test_every_export_format_is_explained() -> None:
    explained = (REFERENCE / "export-formats.md").read_text()
    assert [name for name in FORMATS if f"\n| `{name}` |" not in explained] == []
    assert [name for name in FORMATS if f"`{name}`" not in README] == []


def _unknown(typed: str) -> list[str]:
    """The commands and options of this line that `earshot` does not have. A word in capitals stands for an argument."""
    command: click.Command = cli
    context = click.Context(cli)
    words = re.sub(r"'[^']*'|\"[^\"]*\"", "TEXT", typed).split(" -- ")[0].split()
    options = [word.partition("=")[0] for word in words if word.startswith("--") and word != "--"]
    names = [word for word in words if not word.startswith("-")]
    while isinstance(command, click.Group) and names and not names[0].isupper():
        found = command.get_command(context, name := names.pop(0))
        if found is None:
            return [name]
        command = found
    known = {option for group in (cli, command) for parameter in group.params for option in parameter.opts}
    return [option for option in options if option not in {*known, "--help"}]


def _relative_links(page: Path) -> list[str]:
    return [target for target in _LINK.findall(_FENCE.sub("", page.read_text())) if "://" not in target]


def _leads_somewhere(page: Path, target: str) -> bool:
    """Whether the file is there and, where the link names one of its headings, the heading."""
    file, _, anchor = target.partition("#")
    found = (page.parent / file).resolve() if file else page
    return found.exists() and (not anchor or anchor in _anchors(found))


def _anchors(page: Path) -> set[str]:
    """The page's headings, as GitHub names them in links."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _missing(text: str) -> list[str]:
    """Paths of this repository that the text names and that do not exist."""
    return [path for path in _PATH.findall(text) if not _exists(path)]


def _exists(path: str) -> bool:
    folder, slash, _ = path.partition("/")
    if slash:
        return folder not in (*PACKAGES, "docs") or (PROJECT_ROOT / path).exists()
    return path in BASENAMES


def _docstrings(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
