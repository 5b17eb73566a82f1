"""The definitions that Dagster loads: descriptions, groups, owners, code, and the sources above `audio`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import AssetKey, Definitions

from earshot.config.sources_file import Kind, Source, read_sources
from earshot.storage.catalog.stages import STAGES
from earshot.timings.timing import git_commit
from ingest_assets.assets.audio import audio
from ingest_assets.assets.sources import asset_keys, source_assets
from ingest_assets.definitions import defs
from ingest_assets.graph import definitions
from ingest_assets.presentation.code_references import repository_url, with_code_references

SECRET = "s3cr3tT0ken4Feeds9f8e7d6c5b4a"
OVER_ALL_VIDEOS = ("people", "performance", "search_index")


@pytest.fixture
def sources_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sources.yaml that watches two feeds, one with a token and without a name."""
    path = tmp_path / "sources.yaml"
    path.write_text(
        f"sources:\n  - feed: https://x.org/feed.xml?token={SECRET}\n  - feed: https://y.org\n    name: Harbour Talk\n"
    )
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))
    return path


def test_definitions_are_loadable() -> None:
    Definitions.validate_loadable(defs)


def test_dg_finds_the_definitions() -> None:
    """As `dg check defs` and `dg list defs` do, from [tool.dg] of pyproject.toml."""
    program = "import tomllib, importlib; project = tomllib.load(open('pyproject.toml', 'rb'))['tool']['dg']['project']\n"
    program += "print(importlib.import_module(project['code_location_target_module']).defs.resolve_asset_graph() is not None)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.parametrize("name", [*STAGES, *OVER_ALL_VIDEOS])
def test_assets_are_described(name: str) -> None:
    asset = defs.resolve_asset_graph().get(AssetKey(name))
    assert re.search(r"One row of `|no rows of its own", asset.description or "")
    assert asset.group_name == ("library" if name in OVER_ALL_VIDEOS else "video")
    assert asset.kinds
    assert asset.tags["earshot/per"] == asset.group_name
    [reference] = asset.metadata["dagster/code_references"].code_references
    assert f"ingest_assets/assets/{name}.py" in reference.source


def test_jobs_and_sensors_are_described() -> None:
    described = [*(defs.jobs or ()), *(defs.sensors or ()), *(defs.schedules or ())]
    assert described
    assert [each.name for each in described if not each.description] == []


def test_lineage_begins_at_the_sources(sources_file: Path) -> None:
    graph = Definitions.merge(definitions, Definitions(assets=source_assets())).resolve_asset_graph()
    keys = asset_keys(read_sources(sources_file))
    assert [key.path[1] for key in keys.values()] == ["x_org_feed_xml_token", "Harbour_Talk"]
    assert graph.get(AssetKey("audio")).parent_keys == {AssetKey("videos")}
    assert graph.get(AssetKey("videos")).parent_keys == set(keys.values())


def test_sources_show_no_secret(sources_file: Path) -> None:
    assert SECRET in sources_file.read_text()
    assert SECRET not in str([(spec.key, spec.description, spec.metadata, spec.tags) for spec in source_assets()])


def test_invalid_sources_file_leaves_the_catalogue(sources_file: Path) -> None:
    sources_file.write_text("sources: 7\n")
    assert [spec.key for spec in source_assets()] == [AssetKey("videos")]


def test_each_source_has_its_own_key() -> None:
    sources = [Source(Kind.FEED, f"https://x/{name}", name) for name in ("A b", "A-b", "Ünï / 1", "…")]
    first, second, third, fourth = (key.path[1] for key in asset_keys(sources).values())
    assert (first, third, fourth) == ("A_b", "Ünï_1", "unnamed")
    assert second.startswith("A_b_")


def test_owners_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "from ingest_assets.definitions import defs; print({tuple(n.owners) for n in defs.resolve_asset_graph().asset_nodes})"
    )
    monkeypatch.setenv("EARSHOT_OWNERS", "ada@example.com, team:audio")
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown == "{('ada@example.com', 'team:audio')}\n"


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ("git@github.com:owner/name.git", "https://github.com/owner/name"),
        (f"https://ada:{SECRET}@github.com/owner/name", "https://github.com/owner/name"),
        ("ssh://git@gitlab.example.org:2222/a/b/name.git", "https://gitlab.example.org/a/b/name"),
        ("https://gitlab.com/a/b.git/", "https://gitlab.com/a/b"),
        ("/srv/git/name", ""),
        ("https://git.example.org/name", ""),
        ("", ""),
    ],
)
def test_code_is_linked_at_the_origin_without_credentials(origin: str, url: str) -> None:
    assert repository_url(origin) == url


def test_code_is_linked_at_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = {"COUNT": "1", "KEY_0": "remote.origin.url", "VALUE_0": f"https://ada:{SECRET}@github.com/owner/name.git"}
    for name, value in origin.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    [asset] = with_code_references([audio])
    [reference] = asset.metadata_by_key[AssetKey("audio")]["dagster/code_references"].code_references
    page = f"https://github.com/owner/name/tree/{git_commit()}/ingest_assets/assets/audio.py"
    assert re.fullmatch(re.escape(page) + r"#L\d+", reference.source)
