"""The files of deploy/containers and deploy/kubernetes agree with Earshot and with each other. Nothing is started here."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from earshot.cli.commands import cli
from earshot.cli.operation.serve import CODE_PORT
from earshot.config.settings import PROJECT_ROOT
from earshot.config.settings_file import KEYS, variable_of
from earshot.config.sources_file import sources_in
from resources.instance.code_server import LOCATION

CONTAINERS, KUBERNETES = PROJECT_ROOT / "deploy" / "containers", PROJECT_ROOT / "deploy" / "kubernetes"
COMPOSE_FILES = sorted(CONTAINERS.glob("compose*.yaml"))
COMPOSE = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())
MANIFESTS = sorted(set(KUBERNETES.glob("*.yaml")) - {KUBERNETES / "kustomization.yaml"})
DOCKERFILE = (CONTAINERS / "Dockerfile").read_text()
SETTINGS = {variable_of(key) for key in KEYS}
FILES = [
    path for folder in (CONTAINERS, KUBERNETES) for path in folder.rglob("*") if path.is_file() and "secrets" not in path.parts
]
EACH_COMPOSE_FILE = pytest.mark.parametrize("path", COMPOSE_FILES, ids=lambda path: path.name)
EACH_MANIFEST = pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)


def _accepts(arguments: list[str]) -> bool:
    """Whether `earshot` has this command with these options. Runs nothing."""
    command, context = cli, click.Context(cli)
    while isinstance(command, click.Group) and arguments:
        name, *arguments = arguments
        found = command.get_command(context, name)
        if found is None:
            return False
        command = found
    command.make_context("earshot", arguments)  # click.UsageError says what is wrong
    return True


def _services(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())["services"]


def _containers(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each container of each workload of a manifest, with the workload's name."""
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] in ("Deployment", "StatefulSet"):
            for container in document["spec"]["template"]["spec"]["containers"]:
                yield document["metadata"]["name"], container


@EACH_COMPOSE_FILE
def test_every_command_of_compose_exists(path: Path) -> None:
    ours = {name: service for name, service in _services(path).items() if service.get("image", "").startswith("earshot:$")}
    assert {name for name, service in ours.items() if not _accepts(service["command"].split())} == set()


@EACH_COMPOSE_FILE
def test_every_setting_of_compose_exists(path: Path) -> None:
    given = {key for service in _services(path).values() for key in service.get("environment", ())}
    assert {key for key in given if key.startswith("EARSHOT_")} <= SETTINGS


@EACH_COMPOSE_FILE
def test_every_variable_of_compose_is_explained(path: Path) -> None:
    text = path.read_text()
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert [name for name in re.findall(r"\$\{(\w+)", text) if name not in comments] == []


def test_everything_that_compose_names_is_defined() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, flags=re.MULTILINE))
    services = COMPOSE["services"].values()
    volumes = {
        volume.partition(":")[0] for service in services for volume in service.get("volumes", ()) if volume[0] not in ".$"
    }
    secrets = {secret if isinstance(secret, str) else secret["source"] for one in services for secret in one.get("secrets", ())}
    waited_for = {name for service in services for name in service.get("depends_on", ())}
    assert {"cpu", "cuda", "demo"} <= stages
    assert volumes | {"media", "recordings"} == set(COMPOSE["volumes"])
    assert secrets == set(COMPOSE["secrets"])
    assert all("healthcheck" in COMPOSE["services"][name] for name in waited_for)


def test_every_file_of_the_image_reaches_the_build() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    mounts = re.findall(r"--mount=source=([^,]+)", DOCKERFILE)
    sources = {*mounts, *(source for line in copies for source in line.split())}
    admitted = {line[1:] for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert [source for source in sources if not (PROJECT_ROOT / source).exists()] == []
    assert sources == admitted


def test_new_secrets_are_those_that_compose_and_kubernetes_read(tmp_path: Path) -> None:
    shutil.copy(CONTAINERS / "make-secrets.sh", tmp_path)
    subprocess.run([tmp_path / "make-secrets.sh"], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    read = set(re.findall(r"/secrets/([\w.]+)", (KUBERNETES / "servers.yaml").read_text()))
    assert set(made) == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == {"earshot.toml", *read}
    settings = tomllib.loads(made["earshot.toml"])
    assert set(settings) <= set(KEYS)
    assert f":{made['postgres_password']}@postgres/" in settings["database_url"]
    assert settings["broker"] == f"redis://:{made['valkey.conf'].split()[1]}@valkey:6379/0"
    again = subprocess.run([tmp_path / "make-secrets.sh"], check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "There are secrets already" in again.stderr
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


def test_code_server_is_where_the_others_look_for_it() -> None:
    [server] = yaml.safe_load((CONTAINERS / "workspace.yaml").read_text())["load_from"]
    assert server["grpc_server"] == {"host": "code", "port": CODE_PORT, "location_name": LOCATION}
    assert "code" in COMPOSE["services"]
    assert "code" in dict(_containers(KUBERNETES / "earshot.yaml"))


def test_watched_sources_can_be_read() -> None:
    path = CONTAINERS / "config" / "sources.yaml"
    assert [source.address for source in sources_in(path, path.read_text())] == ["/recordings"]


@EACH_MANIFEST
def test_every_command_and_setting_of_a_manifest_exists(path: Path) -> None:
    for name, container in _containers(path):
        given = {variable["name"] for variable in container.get("env", ())}
        assert {key for key in given if key.startswith("EARSHOT_")} <= SETTINGS, name
        if container["image"].startswith("earshot:"):
            assert _accepts(container["args"]), name


def test_kubernetes_runs_what_compose_runs() -> None:
    images = {name: service["image"] for name, service in COMPOSE["services"].items() if name != "demo"}
    ours = {"earshot:${EARSHOT_IMAGE:-cpu}": "earshot:cpu"}
    resources = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    workloads = dict(pair for resource in resources for pair in _containers(KUBERNETES / resource))
    assert {name: container["image"] for name, container in workloads.items()} == {
        name: ours.get(image, image) for name, image in images.items()
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT_ROOT / "deploy")))
def test_no_file_names_a_host(path: Path) -> None:
    hosts = set(re.findall(r"https?://([^/:\s'\"]+)", path.read_text()))
    assert hosts <= {"127.0.0.1", "www.youtube.com", "{PORTS['EARSHOT_PAGE_PORT']}"}
