"""Confirmation of what cannot be undone: the request names once more what it removes."""

from typing import Annotated

from fastapi import Query

from earshot.common.errors import EarshotError

Confirm = Annotated[str, Query(max_length=2000, description="What is removed, once more: the video's key, the source's name.")]


def require_confirmed(confirm: str, name: str) -> None:
    """Raise EarshotError unless the request confirms this name."""
    if confirm != name:
        raise EarshotError(f"The removal of {name!r} is not confirmed.", f"To confirm it, pass confirm={name}")
