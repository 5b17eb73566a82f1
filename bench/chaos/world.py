"""The world of a campaign: a library in its own home, on its own small disk if root, `earshot up`, and its processes by kind.

`up` runs as under systemd with `Restart=on-failure`: `keep_up()` starts it again if it exits. Everything ends with `stop()`.
Where there is a C compiler, its processes read `clock`, which faults step.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.chaos.feed import Feed
from bench.harness.clock import Clock, make_clock
from bench.harness.server import free_port
from earshot.config.settings import PROJECT_ROOT

EARSHOT = str(Path(sys.executable).parent / "earshot")
DISK = "3G"
SOURCES = "sources:\n  - feed: {}\n    name: Chaos\n    every: 10s\n    pause: 0\n"

# By what the command line of a process of each kind has; a worker's process has the same as the worker.
KINDS = {
    "page": "earshot page",
    "webserver": "serve webserver",
    "daemon": "serve daemon",
    "code server": "--lazy-load-user-code",
    "worker": "celery",
    "broker": "valkey",
}


@dataclass
class World:
    """A library under `folder`, which watches the feed."""

    folder: Path
    feed: Feed
    port: int = field(default_factory=free_port)
    page_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    restarts: int = 0
    own_disk: bool = False
    clock: Clock | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def log(self) -> Path:
        return self.folder / "up.log"

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.page_port}"

    @property
    def environment(self) -> dict[str, str]:
        own = {"EARSHOT_HOME": str(self.home), "EARSHOT_SOURCES": str(self.folder / "sources.yaml"), "EARSHOT_WORKERS": "2"}
        clock = self.clock.environment if self.clock else {}
        return {**os.environ, "EARSHOT_SETTINGS": os.devnull, "PYTHONPATH": str(PROJECT_ROOT), **own, **clock}

    def prepare(self) -> None:
        """Make a new home, and point this process's settings at it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = make_clock(self.folder)
        self._unmount()
        shutil.rmtree(self.home, ignore_errors=True)
        self.log.unlink(missing_ok=True)
        self.home.mkdir()
        self._mount()
        models = self.folder / "models"
        models.mkdir(exist_ok=True)
        (self.home / "models").symlink_to(models)
        (self.home / "media").mkdir()
        (self.folder / "sources.yaml").write_text(SOURCES.format(self.feed.address))
        os.environ.update(self.environment)

    def keep_up(self) -> None:
        """Start `earshot up` if it does not run."""
        if self.process is not None and self.process.poll() is None:
            return
        self.restarts += self.process is not None
        ports = ["--port", str(self.port), "--page-port", str(self.page_port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([EARSHOT, "up", *ports], stdout=log, stderr=log, env=self.environment)

    def stop(self) -> None:
        """Stop everything, and give the disk back."""
        subprocess.run([EARSHOT, "down"], env=self.environment, check=False, capture_output=True)
        if self.process is not None:
            self.process.wait(60)
        self._unmount()

    def processes(self, kind: str) -> list[psutil.Process]:
        """The processes of this kind, the parents first."""
        if kind == "postgres":
            return self._postgres()
        if kind == "backend":
            return [process for server in self._postgres() for process in server.children()]
        family = self.family()
        if kind == "up":
            return family[:1]
        return [process for process in family if KINDS[kind] in _command(process)]

    def family(self) -> list[psutil.Process]:
        """`up` and its descendants; [] if it does not run."""
        if self.process is None or self.process.poll() is not None:
            return []
        try:
            up = psutil.Process(self.process.pid)
            return [up, *up.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _postgres(self) -> list[psutil.Process]:
        try:
            return [psutil.Process(int((self.home / "postgres" / "postmaster.pid").read_text().split()[0]))]
        except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
            return []

    def _mount(self) -> None:
        """Put the home on a small file system, if this user may."""
        image = self.folder / "disk.img"
        image.unlink(missing_ok=True)
        commands = [["truncate", "-s", DISK, str(image)], ["mkfs.ext4", "-q", "-m", "0", str(image)]]
        commands.append(["mount", "-o", "loop", str(image), str(self.home)])
        self.own_disk = os.geteuid() == 0 and all(_succeeds(command) for command in commands)

    def _unmount(self) -> None:
        unmount(self.home / "media")
        unmount(self.home)
        (self.folder / "disk.img").unlink(missing_ok=True)


def unmount(folder: Path) -> None:
    """Undo every mount on the folder; `os.path.ismount()` knows nothing of those within a file system."""
    while _succeeds(["umount", "--lazy", str(folder)]):
        pass


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) if process.status() != psutil.STATUS_ZOMBIE else ""
    except psutil.NoSuchProcess:
        return ""
