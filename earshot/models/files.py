"""The models' files: finds them in packages or on the hub and verifies them. It does not load models.

`locate()` assembles a packaged model's files in a folder once and checks each sha256 before every load. From the hub it
requests a commit, which identifies the content.
"""

import hashlib
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from earshot.common.atomic_files import atomic_folder
from earshot.common.errors import REINSTALL, ModelUnavailable
from earshot.config.home import make_home
from earshot.config.settings import Settings
from earshot.models.registry import Model

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
                for part in file.parts:
                    with _package_file(model, part).open("rb") as piece:
                        shutil.copyfileobj(piece, whole)


def _package_file(model: Model, part: str) -> Path:
    package, _, inside = part.partition("/")
    spec = find_spec(package)
    path = Path(str(spec.origin)).parent / inside if spec and spec.origin else None
    if path is None or not path.exists():
        raise ModelUnavailable(
            f"Model {model.name} needs {part}, which is not installed for {sys.executable}.",
            f"{REINSTALL}.",
        )
    return path


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
