"""What the documentation must keep up with."""

import re

from earshot.cli.commands import cli
from earshot.config.settings import PROJECT_ROOT
from earshot.timings.timing import KEYS
from earshot.transcripts.formats.exports import FORMATS

README = (PROJECT_ROOT / "README.md").read_text()


def test_every_command_is_in_the_readme() -> None:
    assert [name for name in cli.commands if f"earshot {name}" not in README] == []


def test_the_readme_fits_and_what_it_points_to_is_there() -> None:
    assert len(README.splitlines()) <= 200
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert targets
    assert [target for target in targets if not (PROJECT_ROOT / target).exists()] == []


def test_every_setting_is_on_the_page_of_settings() -> None:
    page = (PROJECT_ROOT / "docs" / "reference" / "settings.md").read_text()
    settings = (PROJECT_ROOT / "earshot" / "config" / "settings.py").read_text()
    names = set(re.findall(r"EARSHOT_[A-Z_]+", settings))
    assert names
    assert [name for name in sorted(names) if name not in page] == []


def test_every_figure_of_a_timing_is_explained() -> None:
    explained = (PROJECT_ROOT / "docs" / "reference" / "timings.md").read_text()
    assert [key for key in KEYS if f"`{key}`" not in explained] == []


def test_every_cause_is_in_the_page_on_the_drill() -> None:
    page = (PROJECT_ROOT / "docs" / "measurements" / "regression-drill.md").read_text()
    table = (PROJECT_ROOT / "earshot" / "timings" / "causes.py").read_text()
    causes = re.findall(r"^\| (\w+) \|", table, flags=re.MULTILINE)
    assert {"device", "starved"} <= set(causes)
    assert [cause for cause in causes if cause != "cause" and f"`{cause}`" not in page] == []


def test_every_format_of_exports_is_explained() -> None:
    explained = (PROJECT_ROOT / "docs" / "guides" / "export.md").read_text()
    assert [name for name in FORMATS if f"\n| `{name}` |" not in explained] == []
    assert [name for name in FORMATS if f"`{name}`" not in README] == []
