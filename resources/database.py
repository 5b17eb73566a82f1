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

        The run's, so that a killed run can be told from a slow one. The video's, because one process works on a video at a
        time; here, before the first step, because a step that waited for it with its slot in pool `gpu` already claimed would
        keep that slot from the very run it waits for.
        """
        assert context.run is not None  # assets are only ever run
        url, video_id = self.open().url, context.run.tags.get(PARTITION_TAG)
        with ExitStack() as locks:
            locks.enter_context(lock(url, run_lock(context.run.run_id)))
            if video_id is not None:
                locks.enter_context(lock(url, video_lock(video_id)))
            yield self
