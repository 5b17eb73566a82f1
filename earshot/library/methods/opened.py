"""What all methods of `Library` stand on: its database. Opens it at the first use."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earshot.storage.database import Database


class Opened:
    """A library's database, of today's settings."""

    @cached_property
    def database(self) -> "Database":
        """The database, for your own queries: `library.database.query("SELECT ...")` returns rows as dictionaries."""
        from earshot.storage.database import open_database

        return open_database()
