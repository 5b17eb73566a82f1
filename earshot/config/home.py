"""The folder EARSHOT_HOME: created if it is missing."""

import os
from pathlib import Path

from earshot.common.errors import Misconfigured

REMEDY = "Set EARSHOT_HOME to a folder that you may write to."


def make_home(home: Path) -> Path:
    """Create the folder if necessary and return it. Raises Misconfigured if it cannot be created or written to."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"EARSHOT_HOME is {home}, which cannot be made: {error.strerror}.", REMEDY) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise Misconfigured(f"EARSHOT_HOME is {home}, which cannot be written to.", REMEDY)
    return home
