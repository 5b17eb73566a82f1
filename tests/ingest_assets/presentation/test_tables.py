"""The tables in the definitions of the assets are those of the database."""

import pytest

from earshot.storage.database import Database
from ingest_assets.presentation.tables import TABLES, table_metadata

COLUMNS = """
    SELECT attname AS name, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""


@pytest.mark.parametrize("asset", TABLES)
def test_column_schema_is_that_of_the_table(asset: str, database: Database) -> None:
    declared = table_metadata(asset)
    columns = {column.name: (column.type, column.constraints.nullable) for column in declared["dagster/column_schema"].columns}
    stored = {row["name"]: (row["type"], row["nullable"]) for row in database.query(COLUMNS, [declared["dagster/table_name"]])}
    assert columns == stored
