"""What a route asks for: the library of the application, and its people and corrections, signed by the reader."""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Header, Request

from earshot.library.library import Library
from earshot.library.people.corrections import Corrections
from earshot.library.people.people import People

ANYONE = "page"  # signs what a reader changes who gave no name
MAX_NAME = 100


def _library(request: Request) -> Library:
    return request.app.state.library


LibraryOf = Annotated[Library, Depends(_library)]


def _reader(earshot_reader: Annotated[str, Header(description="Who makes a change, percent-encoded.")] = "") -> str:
    name = "".join(character for character in unquote(earshot_reader) if character.isprintable())
    return name.strip()[:MAX_NAME] or ANYONE


ReaderOf = Annotated[str, Depends(_reader)]


def _people(library: LibraryOf, reader: ReaderOf) -> People:
    return People(library.database, reader)


def _corrections(library: LibraryOf, reader: ReaderOf) -> Corrections:
    return Corrections(library.database, reader)


PeopleOf = Annotated[People, Depends(_people)]
CorrectionsOf = Annotated[Corrections, Depends(_corrections)]
