-- Backfills that `earshot backfill` started, and what there was before them: what the comparison at their end is made from.

CREATE TABLE backfills (
    backfill_id text PRIMARY KEY,                -- Dagster's
    started_at  timestamptz NOT NULL DEFAULT now(),
    videos      integer NOT NULL
);

CREATE TABLE backfill_before (                   -- rows of stage_outputs as they were; NULL where the stage had not run to its end
    backfill_id text NOT NULL REFERENCES backfills ON DELETE CASCADE,
    video_id    text NOT NULL REFERENCES videos ON DELETE CASCADE,
    asset       text NOT NULL,
    timing_id   bigint,
    content     text,
    details     jsonb,
    said        jsonb,                           -- of some videos, for examples: passages as {"start_s", "text"}, in order
    PRIMARY KEY (backfill_id, video_id, asset)
);
