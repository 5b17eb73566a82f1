"""Settings from the environment and earshot.toml: their defaults, which source wins, and how mistakes are reported."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from earshot.common.errors import InvalidConfig, Misconfigured
from earshot.config.settings import PROJECT_ROOT, Settings, read_settings
from earshot.config.settings_file import KEYS, origins, variable_of
from resources.instance.home import prepare_dagster_home
from tests.support.earshot_up import EARSHOT

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.delenv(variable_of(key), raising=False)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the settings file of this process."""

    def write_file(text: str) -> Path:
        path = tmp_path / "earshot.toml"
        path.write_text(text)
        monkeypatch.setenv("EARSHOT_SETTINGS", str(path))
        return path

    return write_file


DEFAULTS = Settings(
    home=PROJECT_ROOT / ".earshot",
    media=str(PROJECT_ROOT / ".earshot" / "media"),
    sources=PROJECT_ROOT / "sources.yaml",
    people=PROJECT_ROOT / "people.yaml",
)
CHOSEN = Settings(
    home=Path("/a/home"), database_url="postgresql://u:p@h/earshot", media="s3://bucket/audio", device="cpu", models="large",
    alert_url="https://hooks.example.com/x", alert_quiet_hours=1.5, sources=Path("/a/mine.yaml"),
    people=Path("/home/ada/p.yaml"), webhooks=Path("/a/hooks.yaml"), workers=3, worker_memory_gb=12.0, broker="none",
    monologue=True, allow_private_addresses=True, hub_token="hf_x", page_token="long",
    page_proxies=("10.0.0.1/32", "172.16.0.0/12"), owners=("ada@example.com", "team:audio"),
)  # fmt: skip
WRITTEN = {
    "home": "/a/home", "database_url": "postgresql://u:p@h/earshot", "media": "s3://bucket/audio/", "device": "cpu",
    "models": "large", "alert_url": "https://hooks.example.com/x", "alert_quiet_hours": 1.5, "sources": "/a/mine.yaml",
    "people": "~/p.yaml", "webhooks": "/a/hooks.yaml", "workers": 3, "worker_memory_gb": 12, "broker": "none",
    "monologue": True, "allow_private_addresses": True, "hf_token": "hf_x", "page_token": "long",
    "page_proxies": "10.0.0.1, 172.16.0.0/12", "owners": "ada@example.com, team:audio",
}  # fmt: skip


def test_unset_and_empty_settings_have_defaults(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    assert read_settings() == DEFAULTS
    write("# nothing\n")
    for key in KEYS:
        monkeypatch.setenv(variable_of(key), "")
    assert read_settings() == DEFAULTS
    assert hash(read_settings()) == hash(DEFAULTS)
    monkeypatch.setenv("EARSHOT_HOME", "/b")
    assert (read_settings().home, read_settings().media) == (Path("/b"), "/b/media")


def test_every_setting_is_read_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    for key in KEYS:
        monkeypatch.setenv(variable_of(key), str(WRITTEN[key]).replace("True", "1"))
    assert read_settings() == CHOSEN
    assert origins() == {"environment": list(KEYS), "file": []}


def test_every_setting_is_read_from_file(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    write("".join(f"{key} = {json.dumps(value)}\n" for key, value in WRITTEN.items()))
    assert read_settings() == CHOSEN
    assert origins() == {"environment": [], "file": list(KEYS)}


def test_every_setting_is_documented() -> None:
    page = (PROJECT_ROOT / "docs" / "reference" / "settings.md").read_text()
    assert [key for key in KEYS if f"| `{key}` | `{variable_of(key)}` |" not in page] == []


def test_config_imports_nothing_slow() -> None:
    program = "import sys; from earshot.config import people_file, settings, sources_file; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert {"pydantic", "yaml", "dagster", "torch", "psycopg", "numpy"} & set(ended.stdout.split()) == set()


def test_environment_wins_over_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write('device = "cpu"\nmodels = "large"\n')
    monkeypatch.setenv("EARSHOT_MODELS", "bundled")
    monkeypatch.setenv("EARSHOT_DEVICE", "")
    assert (read_settings().device, read_settings().models) == ("cpu", "bundled")
    assert origins() == {"environment": ["models"], "file": ["device"]}


def test_relative_path_is_resolved_from_file(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write('home = "library"\nmedia = "audio"\nsources = "s.yaml"\n')
    monkeypatch.chdir("/")
    settings = read_settings()
    assert (settings.home, settings.media) == (tmp_path / "library", str(tmp_path / "audio"))
    assert settings.sources == tmp_path / "s.yaml"


def test_child_in_other_folder_sees_same_settings(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(f'home = "{tmp_path}/home"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EARSHOT_SOURCES", "mine.yaml")
    monkeypatch.setenv("DAGSTER_HOME", "")  # put back after the test
    prepare_dagster_home()
    before = read_settings()
    monkeypatch.chdir("/")
    assert read_settings() == before
    assert before.sources == tmp_path / "mine.yaml"


@pytest.mark.parametrize(("value", "url"), [("none", None), ("", None), ("redis://:x@library/0", "redis://:x@library/0")])
def test_broker_none_means_no_url(monkeypatch: pytest.MonkeyPatch, value: str, url: str | None) -> None:
    monkeypatch.setenv("EARSHOT_BROKER", value)
    assert read_settings().broker_url == url


# --- what is wrong (the words are in mistakes/settings.txt) --------------------------------------------------------------

WRONG = {
    "device": ["gpu", "CPU", "cuda:1"],
    "models": ["small"],
    "home": ["here", "/my home", "/tab\there", "~no_such_user/x"],
    "media": ["here"],
    "alert_url": ["hooks.example.com", "u:secret@h/x"],
    "alert_quiet_hours": ["a day", "-1", "inf", "nan"],
    "workers": ["two", "-1", "1.5"],
    "worker_memory_gb": ["8 GB"],
    "broker": ["amqp://earshot:secret@library"],
    "monologue": ["yes"],
    "allow_private_addresses": ["maybe"],
    "owners": ["Ada", "team:", "ada@example.com,", "ada@example.com team:audio"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_wrong_variable_is_refused_without_secrets(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setenv(variable_of(key), value)
    with pytest.raises(InvalidConfig, match=f"^{variable_of(key)} is ") as caught:
        read_settings()
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.key) == (None, key)
    assert mistake.value == repr(value) or "secret" in mistake.value or "secret" in value
    assert value == "u:secret@h/x" or "secret@" not in str(caught.value)


def test_wrong_variables_and_lines_are_reported_at_once(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    write("workers = true\na = 1\n")
    monkeypatch.setenv("EARSHOT_DEVICE", "gpu")
    with pytest.raises(InvalidConfig) as caught:
        read_settings()
    assert [(mistake.line, mistake.key) for mistake in caught.value.mistakes] == [(None, "device"), (1, "workers"), (2, "a")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("device.name = 'cpu'\n", 1),
        ("\ndevice = cpu\n", 2),
        ("hf_token = secret\n", 1),
        ('broker = ["redis://:secret@h"]\n', 1),
        ('device = "cpu"\ndevice = "cpu"\n', 2),
    ],
)
def test_wrong_shape_and_invalid_toml_are_refused(write: Write, text: str, line: int) -> None:
    write(text)
    with pytest.raises(InvalidConfig) as caught:
        read_settings()
    assert [mistake.line for mistake in caught.value.mistakes] == [line]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/no/such.toml", "my.toml"])
def test_settings_path_must_be_absolute_and_exist(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("EARSHOT_SETTINGS", path)
    with pytest.raises(Misconfigured, match=path):
        read_settings()


@pytest.mark.slow
def test_doctor_names_origins_of_settings_without_secrets(write: Write, tmp_path: Path) -> None:
    path = write(f'home = "{tmp_path}"\nmodels = "bundled"\nalert_url = "https://hooks.example.com/x?key=secret"\n')
    environment = {**os.environ, "EARSHOT_MODELS": "bundled", "EARSHOT_DEVICE": "gpu"}
    refused = subprocess.run([EARSHOT, "doctor", "--json"], capture_output=True, text=True, check=False, env=environment)
    assert refused.returncode == 1
    assert "EARSHOT_DEVICE is 'gpu'" in json.loads(refused.stdout)[0]["detail"]
    program = "from earshot.cli.operation.doctor import _settings; print(_settings())"
    environment["EARSHOT_DEVICE"] = "cpu"
    python = str(Path(EARSHOT).with_name("python"))
    printed = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True, env=environment).stdout
    assert f"the environment sets EARSHOT_DEVICE, EARSHOT_MODELS, {path} sets home, alert_url;" in printed
    assert "secret" not in printed
