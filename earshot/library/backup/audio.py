"""The audio in a backup: copied once for each content, however many backups follow, and back.

A file may be replaced while it is copied, if a run fetches its video again. So the copies of videos that changed meanwhile, or
on which a run works, are decoded and compared with the rows.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import soundfile
from upath import UPath

from earshot.common.errors import EarshotError
from earshot.library.backup.folder import BackupFolder, copy
from earshot.library.backup.manifest import Part, StoredAudio
from earshot.storage.database import Connection, Database
from earshot.storage.full_disk import explaining_full_disk
from earshot.storage.locks import held, video_lock
from earshot.storage.media_store import location_of, require_media_store

FOLDER = "audio"
BLOCK = 1 << 16  # samples decoded at a time
ROWS = "SELECT video_id, uri, samples_sha256 FROM audio WHERE deleted_at IS NULL ORDER BY video_id"

Tell = Callable[[str], object]


@dataclass(frozen=True)
class HeldAudio:
    """A row of table `audio` whose file was not deleted by retention."""

    video_id: str
    uri: str
    samples_sha256: str


@dataclass(frozen=True)
class Copied:
    """What became of the audio: what the backup has, the videos whose file is gone or elsewhere, and whose file changed."""

    stored: tuple[StoredAudio, ...]
    copied: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]


def recordings(connection: Connection) -> list[HeldAudio]:
    return [HeldAudio(**row) for row in connection.execute(ROWS)]


def copy_audio(
    database: Database, folder: BackupFolder, wanted: Iterable[HeldAudio], former: Mapping[str, Part], tell: Tell
) -> Copied:
    """Copy the audio that the folder does not have yet. `former`: the last backup's audio, by the sha256 of its samples."""
    present = folder.sizes(FOLDER)
    known = {digest: part for digest, part in former.items() if present.get(part.name) == part.size}
    stored: list[StoredAudio] = []
    new: list[StoredAudio] = []
    missing: list[str] = []
    wanted = list(wanted)
    for number, recording in enumerate(wanted, 1):
        part = known.get(recording.samples_sha256)
        if part is None:
            part = _copy(folder, recording, present)
            if part is None:
                missing.append(recording.video_id)
                continue
            known[recording.samples_sha256] = part
            new.append(StoredAudio(**asdict(recording), part=part))
        stored.append(StoredAudio(**asdict(recording), part=part))
        tell(f"audio {number}/{len(wanted)}")
    changed = _drop_changed(database, folder, new, [each for each in wanted if each.video_id in set(missing)])
    return Copied(tuple(stored), len(new), tuple(missing), changed)


def _copy(folder: BackupFolder, recording: HeldAudio, present: Mapping[str, int]) -> Part | None:
    """The copy of a file; None if it is gone, or kept outside the media store under a full path."""
    name = f"{FOLDER}/{recording.samples_sha256}.flac"
    if "://" in recording.uri or recording.uri.startswith("/"):
        return None
    location = location_of(recording.uri)
    try:
        with location.open("rb") as source:
            if present.get(name) == location.stat().st_size:  # left by an interrupted backup
                return Part(name, *copy(source, None))
            return folder.write(name, source)
    except FileNotFoundError:
        return None


def _drop_changed(
    database: Database, folder: BackupFolder, new: list[StoredAudio], missing: list[HeldAudio]
) -> tuple[str, ...]:
    """Delete copies whose content is not that of their rows; returns their videos, and those whose row has gone meanwhile."""
    with database.connect() as connection:
        now = {recording.video_id: recording for recording in recordings(connection)}
    at_work = set(held(database.url, [video_lock(audio.video_id) for audio in new]))
    changed = [recording.video_id for recording in missing if now.get(recording.video_id) != recording]
    for audio in new:
        same = now.get(audio.video_id) == HeldAudio(audio.video_id, audio.uri, audio.samples_sha256)
        if (not same or video_lock(audio.video_id) in at_work) and not _holds(folder, audio):
            folder.remove(audio.part.name)
            changed.append(audio.video_id)
    return tuple(changed)


def _holds(folder: BackupFolder, audio: StoredAudio) -> bool:
    """Whether the copy has these samples. Decodes it."""
    digest = hashlib.sha256()
    with folder.open(audio.part.name) as file, soundfile.SoundFile(file) as sound:
        while len(samples := sound.read(BLOCK, dtype="int16")):
            digest.update(samples.astype("<i2", copy=False).tobytes())
    return digest.hexdigest() == audio.samples_sha256


def write_list(stored: Iterable[StoredAudio]) -> BytesIO:
    """The list of a backup's audio: JSON, a video per line."""
    return BytesIO("".join(f"{json.dumps(asdict(audio))}\n" for audio in stored).encode())


def read_list(lines: Iterable[bytes]) -> Iterator[StoredAudio]:
    for line in lines:
        values = json.loads(line)
        yield StoredAudio(**{**values, "part": Part(**values["part"])})


def restore_audio(folder: BackupFolder, list_file: Path, total: int, tell: Tell) -> int:
    """Copy the audio of a backup into the media store, each file verified; returns how many.

    Raises EarshotError if a file is damaged, or the store has another file of that name.
    """
    store, number = require_media_store(), 0
    with list_file.open("rb") as lines:
        for number, audio in enumerate(read_list(lines), 1):
            target = store / audio.uri
            if target.exists():
                with target.open("rb") as file:
                    _refuse_other(str(target), audio, file)
            else:
                with folder.open(audio.part.name) as source:
                    _write(folder, audio, source, target)
            tell(f"audio {number}/{total}")
    return number


def _write(folder: BackupFolder, audio: StoredAudio, source: BinaryIO, target: UPath) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        with explaining_full_disk(), partial.open("wb") as file:
            digest, _ = copy(source, file)
        folder.check(audio.part, digest)
        partial.rename(target)
    finally:
        if partial.exists():
            partial.unlink()


def _refuse_other(path: str, audio: StoredAudio, file: BinaryIO) -> None:
    if copy(file, None)[0] != audio.part.sha256:
        raise EarshotError(f"{path} is there already, and is another file than the backup's.", "Restore into an empty folder.")
