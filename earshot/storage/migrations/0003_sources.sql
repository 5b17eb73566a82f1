-- Sources that are watched: how far each has been read, what it listed, what was decided, and what is still to be run.

ALTER TABLE videos
    ADD COLUMN language text,                   -- spoken, where the source says so; NULL: the transcript finds out
    ADD COLUMN requested_at timestamptz,        -- when a sensor last asked for it
    ADD COLUMN retry_at timestamptz;            -- when it is tried again by itself; NULL: it is not
CREATE INDEX videos_retry ON videos (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX videos_source ON videos (source);

CREATE TABLE sources (
    source        text PRIMARY KEY,             -- its address, as in videos.source
    options       text NOT NULL DEFAULT '',     -- of sources.yaml, as decided by last: a change decides anew
    etag          text,
    last_modified text,
    total         bigint,                       -- videos that it says it has
    filled        boolean NOT NULL DEFAULT false,  -- everything it had was listed once
    looked_at     timestamptz,
    listings      integer NOT NULL DEFAULT 0,   -- complete ones that ended, well or not
    failures      integer NOT NULL DEFAULT 0,   -- to look, since it last answered
    last_error    text,
    blocks        integer NOT NULL DEFAULT 0,   -- times in a row that its site refused us
    paused_until  timestamptz,                  -- nothing is asked of it before
    fetched_at    timestamptz                   -- when its last download ended
);

CREATE TABLE listed (                           -- every video that a source ever listed
    source       text NOT NULL REFERENCES sources ON DELETE CASCADE,
    video_id     text NOT NULL,
    position     bigint GENERATED ALWAYS AS IDENTITY,  -- the order in which they are decided
    url          text NOT NULL,
    title        text NOT NULL,
    channel      text,
    published_at timestamptz,
    duration_s   double precision,
    live         text,
    starts_at    timestamptz,
    short        boolean,
    members_only boolean,
    fingerprint  text,                          -- of a local file's size and times
    asks         integer NOT NULL DEFAULT 0,    -- times that its own page was asked in vain
    again        boolean NOT NULL DEFAULT false,   -- its media moved, or it came back: what failed before may work now
    backlog      boolean NOT NULL,              -- it was there when the source was first listed: `limit` counts these
    present      boolean NOT NULL DEFAULT true, -- in the last complete listing
    decision     text NOT NULL DEFAULT 'open' CHECK (decision IN ('open', 'wanted', 'left_out')),
    reason       text,                          -- why it was left out
    PRIMARY KEY (source, video_id)
);
CREATE INDEX listed_open ON listed (source, position) WHERE decision = 'open';

CREATE TABLE run_requests (                     -- what a sensor has yet to ask Dagster for, in this order
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sensor     text NOT NULL,
    source     text NOT NULL,
    video_id   text NOT NULL REFERENCES videos ON DELETE CASCADE,
    priority   integer NOT NULL
);
CREATE INDEX run_requests_order ON run_requests (sensor, source, request_id);
