"""A project folder: the files that `earshot init` writes, so that Earshot runs there without a clone."""

from pathlib import Path

from earshot.common.errors import Misconfigured
from earshot.config.settings_file import FILE, PROJECT_ROOT, in_clone

COPIED = ("dagster.yaml", "people.yaml", "sources.yaml", "workspace.yaml")
SETTINGS = """\
# Settings of the library in this folder. A variable of the same name overrides a line: EARSHOT_DEVICE=cpu. Relative paths
# start here. Remove the # in front of what you want.

device = "{device}"          # cuda or cpu; Earshot never falls back from one to the other
# home = ".earshot"        # database, audio, models, logs
# models = "multilingual"  # searches 16 languages by meaning; or "large", from the Hugging Face hub; instead of "bundled"
# workers = 2              # videos processed at a time
# alert_url = "https://hooks.example.com/earshot"
"""


def write_project(folder: Path, device: str) -> list[Path]:
    """Write the files, and the folder if necessary; returns the files. It neither makes the library nor starts anything.

    Raises Misconfigured, and writes nothing, in a clone, which is such a folder; if a file is there already; or if the library
    could not be in this folder.
    """
    if in_clone():
        raise Misconfigured(
            f"This Earshot runs in its clone, {PROJECT_ROOT}, which has these files.",
            "To keep the library elsewhere, set EARSHOT_HOME.",
        )
    folder = folder.expanduser().resolve()
    if any(character.isspace() for character in str(folder)):
        raise Misconfigured(
            f"The folder is {str(folder)!r}, with a space.", "Take one without: the embedded Postgres needs it."
        )
    files = [folder / name for name in (FILE, *COPIED)]
    if there := [file.name for file in files if file.exists()]:
        raise Misconfigured(f"{folder} has {', '.join(there)}, which would be overwritten.", "Take another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(SETTINGS.format(device=device))
        for name in COPIED:
            (folder / name).write_text((PROJECT_ROOT / "earshot" / "project" / name).read_text())
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be written: {error.strerror}.", "Take a folder that you may write to.") from error
    return files
