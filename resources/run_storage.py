"""Dagster's runs in a large library: which are next is asked of Postgres.

Dagster's daemon looks twice a second which of the queued runs to start, and reads and sorts all of them to find two. Of 1,000
that takes 0.2 s, in which a worker waits after each video; of 100,000, which is a backfill of a large library, it would take
20. The rules are Dagster's own: the highest priority first (tag `dagster/priority`), then who came first.

Only that question is answered here. Not seen by it are limits by tag and runs that wait for a code location: there are neither
(dagster.yaml, workspace.yaml).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagster import DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import PRIORITY_TAG
from dagster_postgres import PostgresRunStorage
from sqlalchemy import text

if TYPE_CHECKING:
    from dagster._core.storage.dagster_run import JobBucket, TagBucket

_QUEUED = RunsFilter(statuses=[DagsterRunStatus.QUEUED])
# What is not a number counts as 0, as with Dagster.
_NEXT = text("""
    SELECT run_body, status FROM runs r LEFT JOIN run_tags t ON t.run_id = r.run_id AND t.key = :priority
    WHERE status = 'QUEUED'
    ORDER BY CASE WHEN t.value ~ '^-?[0-9]{1,9}$' THEN t.value::int ELSE 0 END DESC, r.id LIMIT :most
""")


class LargeRunStorage(PostgresRunStorage):
    """dagster-postgres' run storage, but for who is next."""

    def get_runs(
        self,
        filters: RunsFilter | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        bucket_by: "JobBucket | TagBucket | None" = None,
        ascending: bool = False,
    ) -> Sequence[DagsterRun]:
        """As Dagster's. The daemon's own question is answered by what it would choose from all answers to it.

        That is one run less than it asked for: from fewer than asked for it concludes that there are no more.
        """
        if ascending and limit is not None and cursor is bucket_by is None and filters == _QUEUED:
            return self._next(limit - 1)
        return super().get_runs(filters, cursor, limit, bucket_by, ascending)

    def _next(self, most: int) -> Sequence[DagsterRun]:
        with self.connect() as connection:
            rows = connection.execute(_NEXT, {"priority": PRIORITY_TAG, "most": most}).mappings()
            return self._rows_to_runs([dict(row) for row in rows])
