"""`make containers-test`: starts the services, breaks them while a stage runs, and checks that nothing was lost.

Starts the demo in a Compose project apart, kills the worker's container with SIGKILL, restarts Postgres' and kills Valkey's,
each while a stage computes. In the end every video must be ready, and search must find what was said. Before that, Dagster's UI
must show the definitions, and only with the token. Prints what happened and when, and removes the project with its volumes.
Needs the images of `make containers`.

COMPOSE is the command, by default `docker compose`.
"""

import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.corpora.episodes import EPISODES
from bench.harness.server import free_port

HERE = Path(__file__).resolve().parent
PROJECT = "earshot-proof"
COMPOSE = [*shlex.split(os.environ.get("COMPOSE", "docker compose")), "--project-name", PROJECT, "--profile", "demo"]
COMPUTING = ("transcript", "speaker_turns", "voice_embeddings", "text_embeddings")
PATIENCE_S = 1800.0
DEFINITIONS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
PORTS = {"EARSHOT_PAGE_PORT": str(free_port()), "EARSHOT_UI_PORT": str(free_port())}

started = time.monotonic()


def main() -> int:
    """Run the proof; returns the exit code."""
    if not (HERE / "secrets").exists():
        subprocess.run([HERE / "make-secrets.sh"], check=True)
    try:
        compose("up", "--detach")
        say("everything is started, and what the others wait for is healthy")
        check_dagster()
        broken: set[str] = set()
        for breaking in (kill_worker, restart_postgres, kill_valkey):
            video = wait(lambda: computing(without=broken), "no stage computes")
            broken.add(video["video_id"])
            say(f"{video['title']} is at {video['stage']}")
            breaking()
        wait(lambda: all(video["state"] == "ready" for video in videos()), "not all videos are ready")
        say("all videos are ready")
        return check_search()
    except AssertionError as error:
        say(f"FAILED: {error}")
        print(compose("logs", "--no-color", "--tail", "40", "worker", "daemon", "code"))
        return 1
    finally:
        compose("down", "--volumes", "--timeout", "20")


def check_dagster() -> None:
    """Dagster's UI shows the definitions with the token, and refuses without it. Raises AssertionError otherwise."""
    wait(definitions, "Dagster's UI shows no definitions")
    assert dagster_refuses(token=""), "Dagster's UI answers without the token"
    say("Dagster's UI shows the definitions, and only with the token")


def kill_worker() -> None:
    kill("worker")


def restart_postgres() -> None:
    compose("restart", "postgres")
    say("restarted the container of postgres")


def kill_valkey() -> None:
    kill("valkey")


def kill(service: str) -> None:
    """Send SIGKILL to the container, and start it again: Docker restarts what dies, but not what a user kills."""
    container = compose("ps", "--quiet", service).strip()
    compose("kill", "-s", "SIGKILL", service)
    state = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.ExitCode}}", container], capture_output=True, text=True, check=True
    )
    assert state.stdout.strip() == "137", f"{service} was not killed: {state.stdout}"
    say(f"killed the container of {service}")
    compose("up", "--detach", "--no-recreate", service)
    say(f"started the container of {service} again")


def check_search() -> int:
    """Ask each episode's question; 1 if an answer is not among the first results."""
    wrong = 0
    for episode in EPISODES:
        hits = ask("search", q=episode.question, limit="3")["hits"]
        found = any(episode.answer in hit["text"] and hit["title"] == episode.title for hit in hits)
        say(f"{episode.question}: {'found' if found else f'NOT FOUND in {hits}'}")
        wrong += not found
    return min(wrong, 1)


def computing(without: set[str]) -> dict[str, Any] | None:
    """A video that computes now and is not among these."""
    at_work = [video for video in videos() if video["run"] == "running" and video["stage"] in COMPUTING]
    return next((video for video in at_work if video["video_id"] not in without), None)


def videos() -> list[dict[str, Any]]:
    """The demo's videos; empty until all are known, or while the page cannot answer."""
    try:
        listed = ask("videos")["videos"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return []
    return listed if len(listed) == len(EPISODES) else []


def definitions() -> list[dict[str, Any]]:
    """Dagster's repositories; empty while the UI cannot answer, or the code server is not loaded."""
    try:
        answer = get("EARSHOT_UI_PORT", "graphql", {"query": DEFINITIONS}, page_token())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return []
    return answer["data"]["repositoriesOrError"].get("nodes", [])


def dagster_refuses(token: str) -> bool:
    try:
        get("EARSHOT_UI_PORT", "graphql", {"query": DEFINITIONS}, token)
    except urllib.error.HTTPError as error:
        return error.code == 401
    return False


def ask(operation: str, **parameters: str) -> Any:
    """An answer of the page's API."""
    return get("EARSHOT_PAGE_PORT", f"api/v1/{operation}", parameters, page_token())


def page_token() -> str:
    return tomllib.loads((HERE / "secrets" / "earshot.toml").read_text())["page_token"]


def get(port: str, path: str, parameters: dict[str, str], token: str) -> Any:
    """The JSON at a path of the page or of Dagster's UI. Raises URLError, ConnectionError or TimeoutError."""
    url = f"http://127.0.0.1:{PORTS[port]}/{path}?{urllib.parse.urlencode(parameters)}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def compose(*arguments: str) -> str:
    """The output of a command of Compose. Raises AssertionError if it fails."""
    environment = {**os.environ, **PORTS}
    ended = subprocess.run([*COMPOSE, *arguments], cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{shlex.join(arguments)}: {ended.stderr}"
    return ended.stdout


def wait(condition: Callable[[], Any], complaint: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.5)
    raise AssertionError(f"{complaint} after {PATIENCE_S:.0f} s; the videos: {videos()}")


def say(what: str) -> None:
    print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
