"""What a route asks for: the library of the application."""

from typing import Annotated

from fastapi import Depends, Request

from earshot.library.library import Library


def _library(request: Request) -> Library:
    return request.app.state.library


LibraryOf = Annotated[Library, Depends(_library)]
