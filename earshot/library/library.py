"""The library as one object: `open_library()` and the methods of `Library`.

Names are those of the command line: a video is named by its key or title, a source by its address or its name in sources.yaml,
a person by name, an anonymous voice as `voice 7`. `EARSHOT_HOME` or earshot.toml selects the library, as for the command line
(earshot/config/settings.py).

Each method imports numpy, torch or Dagster only if it needs them. Change and ingest from one thread at a time.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from earshot.library.methods.reading import Reading
from earshot.library.methods.speed import Speed
from earshot.library.methods.upkeep import Upkeep
from earshot.library.methods.work import Work

if TYPE_CHECKING:
    from earshot.library.people.corrections import Corrections
    from earshot.library.people.people import People
    from earshot.library.reading.word_corrections import WordCorrections
    from earshot.library.upkeep.hints import VideoHints
    from earshot.library.upkeep.webhooks import Webhooks


def open_library() -> "Library":
    """The library of this `EARSHOT_HOME`, created if there is none. Starts its Postgres if necessary.

    Raises Misconfigured if a setting is wrong, DatabaseUnusable if the database cannot be reached or is newer than this code.
    """
    library = Library()
    _ = library.database  # opened now, so that errors are raised here
    return library


class Library(Reading, Upkeep, Speed, Work):
    """One library. Every method raises EarshotError if a name is unknown or a server cannot be reached; its message says what
    was wrong, and its `remedy` what to do."""

    @cached_property
    def people(self) -> "People":
        """People and voices: list, show, rename, merge, remove and forget them."""
        from earshot.library.people.people import People

        return People(self.database)

    @cached_property
    def corrections(self) -> "Corrections":
        """Corrections of who speaks: list, enter and undo them. `corrections.assign()` names a voice."""
        from earshot.library.people.corrections import Corrections

        return Corrections(self.database)

    @cached_property
    def hints(self) -> "VideoHints":
        """Hints for videos, such as the number of speakers or names that are said: read, give and clear them."""
        from earshot.library.upkeep.hints import VideoHints

        return VideoHints(self.database)

    @cached_property
    def word_corrections(self) -> "WordCorrections":
        """Corrections of words: list, enter and undo them."""
        from earshot.library.reading.word_corrections import WordCorrections

        return WordCorrections(self.database)

    @cached_property
    def webhooks(self) -> "Webhooks":
        """Webhooks: the log of what was posted to which endpoint; replay and test them."""
        from earshot.library.upkeep.webhooks import Webhooks

        return Webhooks(self.database)
