"""Backs a library up while it is in use.

Both databases are dumped as of one moment, then the audio that their rows name is copied. If audio was replaced meanwhile, the
databases are dumped once more. The manifest is written last, and replaces the former one: until then, the former backup is
whole.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.library.backup.audio import Copied, HeldAudio, Tell, copy_audio, read_list, recordings, write_list
from earshot.library.backup.folder import BackupFolder, open_folder
from earshot.library.backup.manifest import AUDIO, DAGSTER, EARSHOT, NAME, Manifest, Part, newest_schema, version_of
from earshot.library.backup.user_files import user_files
from earshot.storage.database import Database
from earshot.storage.locks import is_held_elsewhere, lock
from earshot.storage.postgres.dumps import Frozen, dump, frozen
from earshot.storage.server import server_urls

LOCK = "backup"
ATTEMPTS = 5  # at a moment in which no audio is replaced until it is copied


@dataclass(frozen=True)
class BackupSummary:
    """A finished backup: where, how many videos, how much it has, how many audio files were new, and whose audio it lacks."""

    place: str
    made_at: str
    videos: int
    size: int
    audio: int
    copied: int
    without_audio: tuple[str, ...]


@dataclass(frozen=True)
class _Moment:
    """What was dumped at one moment."""

    parts: dict[str, Part]
    recordings: list[HeldAudio]
    videos: int
    postgres: int


def back_up(database: Database, target: str, tell: Tell) -> BackupSummary:
    """Write a backup to a path or a URL. `tell` is called with what is done now, in words.

    Raises EarshotError if the place has other files, cannot be written to, or another backup of this library runs.
    """
    folder = open_folder(target)
    folder.refuse_foreign()
    with _only_one(database):
        former = _former_audio(folder)
        for _ in range(ATTEMPTS):
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
            moment = _dump(folder, stamp, tell)
            copied = copy_audio(database, folder, moment.recordings, former, tell)
            if not copied.changed:
                return _recorded(database, _finish(folder, stamp, moment, copied, tell))
            former |= {audio.samples_sha256: audio.part for audio in copied.stored if audio.video_id not in copied.changed}
    raise EarshotError(f"Audio changed during each of {ATTEMPTS} attempts.", "Back up while fewer videos are fetched again.")


@contextmanager
def _only_one(database: Database) -> Iterator[None]:
    if is_held_elsewhere(database.url, LOCK):
        raise EarshotError("Another backup of this library is running.", "Wait until it has ended.")
    with lock(database.url, LOCK):
        yield


def _former_audio(folder: BackupFolder) -> dict[str, Part]:
    """The audio of the former backup, by the sha256 of its samples."""
    former = folder.read()
    if former is None:
        return {}
    with folder.open(former.parts[AUDIO].name) as lines:
        return {audio.samples_sha256: audio.part for audio in read_list(lines)}


def _dump(folder: BackupFolder, stamp: str, tell: Tell) -> _Moment:
    urls = server_urls(read_settings())
    with frozen(urls.earshot) as earshot, frozen(urls.dagster) as dagster:
        parts = {}
        for name, one in ((EARSHOT, earshot), (DAGSTER, dagster)):
            tell(f"database {one.connection.info.dbname}")
            with dump(one) as stream:
                parts[name] = folder.write(f"{stamp}/{name}", stream)
        return _Moment(parts, recordings(earshot.connection), _count(earshot), earshot.connection.info.server_version // 10_000)


def _count(earshot: Frozen) -> int:
    row = earshot.connection.execute("SELECT count(*) AS videos FROM videos").fetchone()
    assert row is not None  # a count has one row
    return row["videos"]


def _finish(folder: BackupFolder, stamp: str, moment: _Moment, copied: Copied, tell: Tell) -> BackupSummary:
    tell("manifest")
    parts = dict(moment.parts)
    parts[AUDIO] = folder.write(f"{stamp}/{AUDIO}", write_list(copied.stored))
    for name, content in user_files(read_settings()):
        parts[name] = folder.write(f"{stamp}/{name}", BytesIO(content))
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(
        made_at,
        earshot=version_of("earshot"),
        schema=newest_schema(),
        dagster=version_of("dagster"),
        postgres=moment.postgres,
        videos=moment.videos,
        parts=parts,
    )
    folder.write(NAME, BytesIO(manifest.to_json().encode()))
    audio = {each.part.name: each.part.size for each in copied.stored}
    folder.keep_only(manifest, set(audio))
    size = sum(part.size for part in parts.values()) + sum(audio.values())
    return BackupSummary(str(folder), made_at, moment.videos, size, len(audio), copied.copied, copied.missing)


def _recorded(database: Database, summary: BackupSummary) -> BackupSummary:
    """Note in the library when it was backed up to this place; the metrics show when it last was to any."""
    database.query(
        "INSERT INTO backups VALUES (%s, %s, %s, %s) ON CONFLICT (place) DO UPDATE SET "
        "made_at = excluded.made_at, videos = excluded.videos, size = excluded.size",
        [summary.place, summary.made_at, summary.videos, summary.size],
    )
    return summary
