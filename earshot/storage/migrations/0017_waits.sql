-- What a stage waited for, and a baseline of waiting that may follow a slower store, database or network.

ALTER TABLE asset_timings
    ADD COLUMN store_s    double precision,     -- the parts of io_s; NULL: an earlier version recorded only their sum
    ADD COLUMN database_s double precision,
    ADD COLUMN network_s  double precision;

ALTER TABLE accepted_speeds ADD COLUMN verdict text CHECK (verdict IN ('speed', 'waiting'));  -- NULL: a user accepted both
UPDATE accepted_speeds SET verdict = 'speed' WHERE followed_until IS NOT NULL;
ALTER TABLE accepted_speeds ADD CHECK ((verdict IS NULL) = (followed_until IS NULL));
