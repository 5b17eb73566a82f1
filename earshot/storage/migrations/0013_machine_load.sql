-- What waits is judged apart from what computes; the machine's load is measured, and a baseline may follow it.

ALTER TABLE asset_timings
    ADD COLUMN cpu_wait_s   double precision,   -- NULL: not measured
    ADD COLUMN cpu_busy     double precision,
    ADD COLUMN cpu_others   double precision,
    ADD COLUMN cpu_steal    double precision,
    ADD COLUMN load_average double precision,
    ADD COLUMN waiting      text NOT NULL DEFAULT 'unjudged'    -- the check's verdict on reading, writing and the network
        CHECK (waiting IN ('unjudged', 'ok', 'warn', 'error')),
    ADD COLUMN cause        text NOT NULL DEFAULT '';           -- of a slow `speed`, also if it was reported before

ALTER TABLE accepted_speeds ADD COLUMN followed_until bigint;   -- NULL: a user accepted; else flagged rows up to it count
CREATE INDEX check_failures_latest ON check_failures (asset, failure_id DESC);
