"""What a user may set, what it is without, and what is told about a value that is not allowed."""

from pathlib import Path

import pytest

from earshot.common.errors import Misconfigured
from earshot.config.settings import PROJECT_ROOT, read_settings

VARIABLES = ("EARSHOT_HOME", "EARSHOT_DATABASE_URL", "EARSHOT_MEDIA", "EARSHOT_DEVICE", "EARSHOT_MODELS", "HF_TOKEN")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_without_any_variable_everything_has_a_default() -> None:
    settings = read_settings()
    assert settings.home == PROJECT_ROOT / ".earshot"
    assert settings.media == str(PROJECT_ROOT / ".earshot" / "media")
    assert (settings.device, settings.models) == ("cuda", "bundled")
    assert (settings.database_url, settings.hub_token) == (None, None)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    without = read_settings()
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")
    assert read_settings() == without


def test_what_is_set_is_what_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen = (str(tmp_path), "postgresql://u@h/earshot", "s3://bucket/audio", "cpu", "large", "a token")
    for variable, value in zip(VARIABLES, chosen, strict=True):
        monkeypatch.setenv(variable, value)
    settings = read_settings()
    assert settings.home == tmp_path
    assert (settings.database_url, settings.media, settings.device, settings.models, settings.hub_token) == chosen[1:]


def test_media_lie_in_the_home_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EARSHOT_HOME", str(tmp_path))
    assert read_settings().media == str(tmp_path / "media")


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("EARSHOT_DEVICE", "gpu", ["cuda", "cpu"]),
        ("EARSHOT_DEVICE", "CPU", ["cuda", "cpu"]),
        ("EARSHOT_DEVICE", "cuda:1", ["cuda", "cpu"]),
        ("EARSHOT_MODELS", "small", ["bundled", "large"]),
    ],
)
def test_an_unknown_value_is_told_with_its_variable_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: list[str]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Misconfigured) as told:
        read_settings()
    assert told.value.message == f"{variable} is {value!r}."
    assert told.value.remedy == f"Set it to one of: {', '.join(allowed)}."


@pytest.mark.parametrize("name", ["my home", "tab\there"])
def test_a_home_with_spaces_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv("EARSHOT_HOME", str(tmp_path / name))
    with pytest.raises(Misconfigured, match="EARSHOT_HOME") as told:
        read_settings()
    assert repr(str(tmp_path / name)) in told.value.message


def test_tilde_is_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EARSHOT_HOME", "~/there")
    monkeypatch.setenv("EARSHOT_MEDIA", "~/audio")
    assert (read_settings().home, read_settings().media) == (tmp_path / "there", str(tmp_path / "audio"))


@pytest.mark.parametrize("variable", ["EARSHOT_HOME", "EARSHOT_MEDIA"])
def test_relative_folder_is_refused_with_its_full_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "here")
    with pytest.raises(Misconfigured) as refused:
        read_settings()
    assert f"{variable} is 'here', a relative path" in refused.value.message
    assert f"{variable}={tmp_path}/here" in refused.value.remedy


def test_settings_are_read_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().device == "cuda"
    monkeypatch.setenv("EARSHOT_DEVICE", "cpu")
    assert read_settings().device == "cpu"


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("EARSHOT_ALERT_URL", "hooks.example.com", "http:// or https://"),
        ("EARSHOT_ALERT_QUIET_HOURS", "a day", "a number of hours"),
        ("EARSHOT_ALERT_QUIET_HOURS", "-1", "a number of hours"),
        ("EARSHOT_ALERT_QUIET_HOURS", "inf", "a number of hours"),
    ],
)
def test_a_wrong_setting_of_the_alerts_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Misconfigured) as refused:
        read_settings()
    assert refused.value.message == f"{variable} is {value!r}."
    assert allowed in refused.value.remedy


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("EARSHOT_WORKERS", "two", "a whole number, 0 or more"),
        ("EARSHOT_WORKERS", "-1", "a whole number, 0 or more"),
        ("EARSHOT_WORKERS", "1.5", "a whole number, 0 or more"),
        ("EARSHOT_WORKER_MEMORY_GB", "8 GB", "a number of gigabytes, 0 or more"),
    ],
)
def test_a_wrong_setting_of_the_workers_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Misconfigured) as told:
        read_settings()
    assert (told.value.message, told.value.remedy) == (f"{variable} is {value!r}.", f"Set it to {allowed}.")


def test_a_wrong_broker_is_refused_without_repeating_what_may_hold_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_BROKER", "amqp://earshot:secret@library")
    with pytest.raises(Misconfigured, match="EARSHOT_BROKER is not the URL of a Redis or Valkey server") as told:
        read_settings()
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(("value", "url"), [("none", None), ("", None), ("redis://:x@library/0", "redis://:x@library/0")])
def test_runs_are_left_where_the_broker_is(monkeypatch: pytest.MonkeyPatch, value: str, url: str | None) -> None:
    monkeypatch.setenv("EARSHOT_BROKER", value)
    assert read_settings().broker_url == url
