"""Restores a backup into a library without videos: another home, another machine, the embedded server or one by URL.

Everything is verified before the databases change: the dumps are fetched and the audio is copied first. Older tables are
migrated. A restore that fails leaves an empty library, and can be run again.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from psycopg import sql

from earshot.common.errors import EarshotError
from earshot.config.home import make_home, up_file
from earshot.config.settings import Settings, read_settings
from earshot.library.backup.audio import Tell, restore_audio
from earshot.library.backup.folder import open_folder
from earshot.library.backup.manifest import AUDIO, DAGSTER, EARSHOT, Manifest, refuse_newer, version_of
from earshot.library.backup.user_files import restore_file
from earshot.storage.database import migrate
from earshot.storage.outages import connect
from earshot.storage.pool import close_pool
from earshot.storage.postgres.dumps import empty, load
from earshot.storage.server import ServerUrls, server_urls

STAGED = "restore.partial"
MIGRATED = "schema_migrations"  # an empty library has rows of this table alone


@dataclass(frozen=True)
class RestoreSummary:
    """What was restored: of when, how many videos and audio files, and where the user's files are now."""

    made_at: str
    videos: int
    audio: int
    files: tuple[Path, ...]


def restore(source: str, tell: Tell) -> RestoreSummary:
    """Restore the backup at a path or a URL. `tell` is called with what is done now, in words.

    Raises EarshotError if there is no finished backup, if it is damaged, if this library has anything or is in use; and
    DatabaseUnusable if newer code wrote the backup.
    """
    folder, settings = open_folder(source), read_settings()
    manifest = folder.read()
    if manifest is None:
        raise EarshotError(f"There is no finished backup at {folder}.", "Name the folder that `earshot backup` wrote.")
    refuse_newer(manifest)
    _refuse_running(make_home(settings.home))
    urls = server_urls(settings, beside_audio=True)
    _refuse_filled(urls.earshot, settings)
    with _staged(settings.home / STAGED) as staged:
        for name, part in manifest.parts.items():
            tell(f"verifying {name}")
            folder.fetch(part, staged / name)
        audio = restore_audio(folder, staged / AUDIO, manifest.videos, tell)
        _load(urls, manifest, staged, tell)
        files = tuple(_user_files(settings, manifest, staged))
    return RestoreSummary(manifest.made_at, manifest.videos, audio, files)


def _refuse_running(home: Path) -> None:
    with suppress(FileNotFoundError):
        if psutil.pid_exists(json.loads(up_file(home).read_text())["pid"]):
            raise EarshotError(f"`earshot up` runs in {home}.", "Run `earshot down` first.")


def _refuse_filled(url: str, settings: Settings) -> None:
    """Raise EarshotError if any table of the library has a row."""
    with connect(url, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename").fetchall()
        for (table,) in tables:
            if table == MIGRATED:
                continue
            statement = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
            if connection.execute(statement).fetchone() == (True,):
                where = "EARSHOT_DATABASE_URL" if settings.database_url else f"EARSHOT_HOME ({settings.home})"
                raise EarshotError(
                    f"The library at {where} is not empty: table {table} has rows.",
                    "Restore into a new one: set EARSHOT_HOME to a new folder, and name a new database if you use a server.",
                )


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _load(urls: ServerUrls, manifest: Manifest, staged: Path, tell: Tell) -> None:
    """Load both databases and migrate them; if that fails, both are empty again."""
    loaded = {EARSHOT: urls.earshot, DAGSTER: urls.dagster}
    try:
        for name, url in loaded.items():
            tell(f"database {name.removesuffix('.dump')}")
            close_pool(url)
            empty(url)
            load(url, staged / name)
        migrate(urls.earshot)
        _migrate_dagster(manifest)
    except BaseException:
        for url in loaded.values():
            empty(url)
        raise


def _migrate_dagster(manifest: Manifest) -> None:
    if manifest.dagster != version_of("dagster"):
        from resources.instance.home import open_instance  # loads Dagster

        open_instance().upgrade()


def _user_files(settings: Settings, manifest: Manifest, staged: Path) -> Iterator[Path]:
    for name in manifest.parts:
        if name not in (EARSHOT, DAGSTER, AUDIO):
            yield restore_file(settings, name, (staged / name).read_bytes())
