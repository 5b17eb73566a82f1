"""Confirmation of what cannot be undone: the request names once more what it removes."""

from typing import Annotated

from fastapi import Query

from earshot.common.errors import EarshotError

Confirm = Annotated[str, Query(max_length=2000, description="What is removed, once more: a video's key, or a name.")]


def require_confirmed(confirm: str, name: str) -> None:
    """Raise EarshotError unless the request confirms this name."""
    if confirm != name:
        raise EarshotError(f"Nothing was removed: {confirm!r} is not {name!r}.", "Repeat the name exactly as `confirm`.")
