"""earshot.toml: its keys are the variables, the environment wins over it, and what is wrong is told with its line."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from earshot.common.errors import Misconfigured
from earshot.config.settings import read_settings
from earshot.config.settings_file import KEYS, PROJECT_ROOT, origins, variable_of
from resources.instance.home import prepare_dagster_home
from tests.support.earshot_up import EARSHOT

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Makes the settings file of this process, whose environment sets nothing else."""
    monkeypatch.chdir(tmp_path)
    for key in KEYS:
        monkeypatch.delenv(variable_of(key), raising=False)

    def written(text: str) -> Path:
        path = tmp_path / "earshot.toml"
        path.write_text(text)
        monkeypatch.setenv("EARSHOT_SETTINGS", str(path))
        return path

    return written


def test_every_setting_can_be_written(write: Write, tmp_path: Path) -> None:
    write(
        """
        home = "/a/home"
        database_url = "postgresql://u:p@h/earshot"
        media = "s3://bucket/audio/"
        device = "cpu"
        models = "large"
        alert_url = "https://hooks.example.com/x"
        alert_quiet_hours = 1.5
        sources = "mine.yaml"
        people = "~/people.yaml"
        workers = 3
        worker_memory_gb = 12
        broker = "none"
        monologue = true
        allow_private_addresses = false
        hf_token = "hf_x"
        """
    )
    settings = read_settings()
    assert settings.home == Path("/a/home")
    assert (settings.database_url, settings.media) == ("postgresql://u:p@h/earshot", "s3://bucket/audio")
    assert (settings.device, settings.models, settings.hub_token) == ("cpu", "large", "hf_x")
    assert (settings.alert_url, settings.alert_quiet_hours) == ("https://hooks.example.com/x", 1.5)
    assert (settings.sources, settings.people) == (tmp_path / "mine.yaml", Path.home() / "people.yaml")
    assert (settings.workers, settings.worker_memory_gb, settings.broker) == (3, 12.0, "none")
    assert (settings.monologue, settings.allow_private_addresses) == (True, False)
    assert len(KEYS) == 15, "a new setting belongs into this test and docs/reference/settings.md"


def test_environment_wins_over_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write('device = "cpu"\nmodels = "large"\n')
    monkeypatch.setenv("EARSHOT_MODELS", "bundled")
    monkeypatch.setenv("EARSHOT_DEVICE", "")
    settings = read_settings()
    assert (settings.device, settings.models) == ("cpu", "bundled")
    assert origins() == {"environment": ["models"], "file": ["device"]}


def test_relative_paths_start_in_folder_of_file(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write('home = "library"\nmedia = "audio"\nsources = "s.yaml"\n')
    monkeypatch.chdir("/")
    settings = read_settings()
    assert (settings.home, settings.media) == (tmp_path / "library", str(tmp_path / "audio"))
    assert settings.sources == tmp_path / "s.yaml"


def test_children_in_other_folders_see_the_same_settings(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(f'home = "{tmp_path}/home"\n')
    monkeypatch.setenv("EARSHOT_SOURCES", "mine.yaml")
    monkeypatch.setenv("DAGSTER_HOME", "")  # put back after the test
    prepare_dagster_home()
    before = read_settings()
    monkeypatch.chdir("/")
    assert read_settings() == before
    assert before.sources == tmp_path / "mine.yaml"


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_empty_file_leaves_defaults(write: Write, text: str) -> None:
    write(text)
    assert (read_settings().device, read_settings().home) == ("cuda", PROJECT_ROOT / ".earshot")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('# mine\ndevise = "cpu"\n', "earshot.toml, line 2: unknown key 'devise'. Did you mean device?"),
        ("[earshot]\ndevice = 'cpu'\n", "earshot.toml, line 1: unknown key 'earshot'."),
        ('models = "bundled"\ndevice = "gpu"\n', "earshot.toml, line 2: device is 'gpu'. Set it to one of: cuda, cpu."),
        ("workers = -1\n", "earshot.toml, line 1: workers is '-1'. Set it to a whole number, 0 or more."),
        ("workers = true\n", "earshot.toml, line 1: workers is 'true'."),
        ("workers = 1.5\n", "earshot.toml, line 1: workers is '1.5'."),
        (
            'monologue = "yes"\n',
            "earshot.toml, line 1: monologue is 'yes'. Set it to 1 or 0, in earshot.toml to true or false.",
        ),
        ("\nsources = ['a.yaml']\n", "earshot.toml, line 2: sources is a list. Allowed: a text, a number, true or false."),
        ("device.name = 'cpu'\n", "earshot.toml, line 1: device is a table."),
        ("home = 2026-01-01\n", "earshot.toml, line 1: home is a date or time."),
        ('media = ""\n', "earshot.toml, line 1: media is empty. Give it a value, or remove the line."),
        (
            'home = "/a b"\n',
            "earshot.toml, line 1: home is '/a b', and the embedded Postgres cannot live in a path with spaces.",
        ),
        ("device = cpu\n", 'earshot.toml, line 1: not TOML: Invalid value. Write one `key = "value"` per line'),
        ('device = "cpu"\ndevice = "cpu"\n', "earshot.toml, line 2: not TOML: Cannot overwrite a value."),
    ],
)
def test_mistake_is_told_with_line_key_and_what_is_allowed(write: Write, text: str, told: str) -> None:
    write(text)
    with pytest.raises(Misconfigured) as refused:
        read_settings()
    assert str(refused.value).startswith(told)


def test_all_unknown_keys_are_told_at_once(write: Write) -> None:
    write("a = 1\nb = 2\n")
    with pytest.raises(Misconfigured, match=r"line 1: unknown key 'a'(.|\n)*line 2: unknown key 'b'"):
        read_settings()


@pytest.mark.parametrize(
    "text",
    [
        'broker = "amqp://u:secret@h"\n',
        'alert_url = "u:secret@h/x"\n',
        'broker = ["redis://:secret@h"]\n',
        "hf_token = secret\n",
    ],
)
def test_refusal_repeats_no_secret(write: Write, text: str) -> None:
    write(text)
    with pytest.raises(Misconfigured) as refused:
        read_settings()
    assert "secret" not in str(refused.value).replace("as it may be a secret", "")


def test_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EARSHOT_SETTINGS", str(tmp_path / "no.toml"))
    with pytest.raises(Misconfigured, match=r"There is no file .*no\.toml"):
        read_settings()


def test_file_is_named_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_SETTINGS", "my.toml")
    with pytest.raises(Misconfigured, match=r"EARSHOT_SETTINGS is 'my\.toml', a relative path"):
        read_settings()


def test_every_setting_is_in_its_page() -> None:
    page = (PROJECT_ROOT / "docs" / "reference" / "settings.md").read_text()
    assert [key for key in KEYS if f"| `{key}` | `{variable_of(key)}` |" not in page] == []


@pytest.mark.slow
def test_doctor_says_which_settings_come_from_where_and_no_secret(write: Write, tmp_path: Path) -> None:
    path = write(f'home = "{tmp_path}"\nmodels = "bundled"\nalert_url = "https://hooks.example.com/x?key=secret"\n')
    environment = {**os.environ, "EARSHOT_MODELS": "bundled", "EARSHOT_DEVICE": "gpu"}
    refused = subprocess.run([EARSHOT, "doctor", "--json"], capture_output=True, text=True, check=False, env=environment)
    assert refused.returncode == 1
    assert "EARSHOT_DEVICE is 'gpu'" in json.loads(refused.stdout)[0]["detail"]
    program = "from earshot.cli.operation.doctor import _settings; print(_settings())"
    environment["EARSHOT_DEVICE"] = "cpu"
    python = str(Path(EARSHOT).with_name("python"))
    said = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True, env=environment).stdout
    assert f"the environment sets EARSHOT_DEVICE, EARSHOT_MODELS, {path} sets home, alert_url, the rest is as usual" in said
    assert "secret" not in said
