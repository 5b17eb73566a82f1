"""`make demo`: turns real recordings into searchable, speaker-labelled text, on this machine, in a few minutes.

Composes four episodes, serves them as a feed on loopback, and runs the commands a user would type: `earshot ingest` with the
feed's URL, `earshot people list`, and `earshot search` with a question, whose links lead to the files in EARSHOT_HOME/demo.

The demo chooses the device and prints it first: cuda if there is an NVIDIA device, else the CPU. Earshot itself never chooses.
"""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.corpora.episodes import EPISODES, FEED_NAME, write_episodes, write_feed
from bench.harness.server import serving
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.storage.catalog.videos import list_videos, register
from earshot.storage.database import Database, open_database

EARSHOT = str(Path(sys.executable).parent / "earshot")


def main() -> int:
    """Run the demo; returns the exit code of the first command that fails, or 0."""
    device, reason = choose_device(os.environ.get("EARSHOT_DEVICE"))
    print(f"Device: {device} ({reason}).", flush=True)
    folder = read_settings().home / "demo"
    write_episodes(folder)
    environment = {**os.environ, "EARSHOT_DEVICE": device}
    with serving(folder) as url:
        write_feed(folder, url)
        print(f"Serving {len(EPISODES)} episodes, composed from recordings of dependencies, as a feed on loopback.")
        failed = run(["ingest", f"{url}/{FEED_NAME}"], environment)
        if not failed:
            know_by_files(open_database(), url, folder)
    failed = failed or run(["people", "list"], environment)
    failed = failed or run(["search", EPISODES[-1].question, "--limit", "3"], environment)
    if failed:
        return failed
    print(f"\nNext, from {PROJECT_ROOT}:")
    for command, purpose in next_steps(device):
        print(f"  {command:<55}{purpose}")
    return 0


def know_by_files(database: Database, url: str, folder: Path) -> None:
    """Make the episodes' links lead to the files in the folder, because nothing serves them after the demo."""
    served = [video for video in list_videos(database) if video.url.startswith(f"{url}/")]
    register(database, [replace(video, url=str(folder / Path(urlsplit(video.url).path).name)) for video in served])


def next_steps(device: str) -> list[tuple[str, str]]:
    """Commands to try next, and what each is for."""
    setup = [] if device == "cuda" else [("export EARSHOT_DEVICE=cpu", "the default is cuda")]
    return [
        *setup,
        (".venv/bin/earshot play 1", "hear the first result, with ffplay, mpv, VLC or SoX"),
        ("make up", "search, read and hear at http://127.0.0.1:3001; every video, stage and timing at :3000"),
        (".venv/bin/earshot ingest URL-or-file", "your own recordings"),
        ("$EDITOR sources.yaml", "channels, feeds and folders whose uploads come by themselves while it is up"),
        (".venv/bin/earshot people correct 'voice 3' --is NAME", "name a voice: the narrator's, in both videos"),
        (".venv/bin/earshot videos", "what is in the library"),
        (".venv/bin/earshot timings", "what each stage cost, and whether it got slower"),
        (".venv/bin/earshot export VIDEO --format srt", "subtitles of one of them"),
    ]


def choose_device(asked: str | None) -> tuple[str, str]:
    """The device to request, and why: the one that the user set, else cuda if the NVIDIA driver lists a device."""
    if asked:
        return asked, "EARSHOT_DEVICE says so"
    import pynvml

    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        return "cpu", f"no NVIDIA device: {error}; everything works, slower"
    if count == 0:
        return "cpu", "the NVIDIA driver lists no device; everything works, slower"
    return "cuda", f"{pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))} found"


def run(arguments: list[str], environment: dict[str, str]) -> int:
    """Show a command as a user would type it, and run it."""
    print(f"\n$ {shlex.join(['earshot', *arguments])}", flush=True)
    return subprocess.run([EARSHOT, *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
