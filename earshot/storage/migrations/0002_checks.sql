-- What a check needs to judge a timing and to prove a cause; what failed; and which speeds were accepted as the new normal.

ALTER TABLE asset_timings
    ADD COLUMN device_asked   text NOT NULL DEFAULT '',
    ADD COLUMN model_loads    double precision NOT NULL DEFAULT 0,  -- of this stage's model by its process so far
    ADD COLUMN inputs         double precision NOT NULL DEFAULT 0,  -- 0: not counted, so never part of a baseline
    ADD COLUMN batch_mean     double precision NOT NULL DEFAULT 0,
    ADD COLUMN memory_retries double precision NOT NULL DEFAULT 0,
    ADD COLUMN gpu_util_p95   double precision,
    ADD COLUMN gpu_power_w    double precision,
    ADD COLUMN gpu_clock_mhz  double precision,
    ADD COLUMN driver         text NOT NULL DEFAULT '',
    ADD COLUMN libraries      text NOT NULL DEFAULT '',
    ADD COLUMN speed          text NOT NULL DEFAULT 'unjudged'      -- the check's verdict when the row was new
        CHECK (speed IN ('unjudged', 'ok', 'warn', 'error'));
UPDATE asset_timings SET device_asked = device;
CREATE INDEX asset_timings_baseline ON asset_timings (asset, timing_id DESC);

CREATE TABLE check_failures (               -- like the timings, these outlive any purge
    failure_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    video_id    text NOT NULL,
    asset       text NOT NULL,
    check_name  text NOT NULL,
    severity    text NOT NULL CHECK (severity IN ('warn', 'error')),
    cause       text NOT NULL,              -- a word: device, cold_load, ... or unknown
    message     text NOT NULL,
    run_id      text NOT NULL,
    alert       text CHECK (alert IN ('sent', 'quiet')),  -- NULL: not dealt with yet
    alerted_at  timestamptz
);
CREATE INDEX check_failures_alerts ON check_failures (asset, cause, failure_id) WHERE alert = 'sent';
CREATE INDEX check_failures_open ON check_failures (failure_id) WHERE alert IS NULL;
CREATE INDEX check_failures_run ON check_failures (run_id);

CREATE TABLE accepted_speeds (              -- a stage's baseline begins after its last acceptance
    asset       text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    timing_id   bigint NOT NULL             -- rows up to this one no longer count
);
CREATE INDEX accepted_speeds_latest ON accepted_speeds (asset, timing_id DESC);
