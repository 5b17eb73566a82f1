"""Resource `database`: Earshot's database, and the locks of the run that uses it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dagster import ConfigurableResource, InitResourceContext

from earshot.storage.database import Database, open_database
from earshot.storage.locks import PARTITION_TAG, lock, run_lock, video_lock


class DatabaseResource(ConfigurableResource):
    """Gives assets the database of this home."""

    def open(self) -> Database:
        return open_database()

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["DatabaseResource"]:
        """Hold the locks of the run and of its video for as long as the run's resources live.

        The run's lock tells a killed run from a slow one; the video's allows one process at a time to work on a video. Both are
        taken before the first step, because a step that waited for the video with a slot in pool `gpu` would keep that slot
        from the very run it waits for.
        """
        assert context.run is not None  # resources are set up for runs only
        url, video_id = self.open().url, context.run.tags.get(PARTITION_TAG)
        with ExitStack() as locks:
            locks.enter_context(lock(url, run_lock(context.run.run_id)))
            if video_id is not None:
                locks.enter_context(lock(url, video_lock(video_id)))
            yield self
