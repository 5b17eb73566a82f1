-- What a source keeps: videos and audio beyond it are removed. And where the library was backed up to.

ALTER TABLE audio ADD COLUMN deleted_at timestamptz;                               -- its file, by keep_audio_days; NULL: it is there
ALTER TABLE excluded_videos ADD COLUMN reason text NOT NULL DEFAULT 'by you';      -- or why its source did not keep it

CREATE TABLE backups (
    place   text PRIMARY KEY,                    -- a path, or a URL without secrets
    made_at timestamptz NOT NULL,                -- when the last one there was finished
    videos  bigint NOT NULL,
    size    bigint NOT NULL                      -- bytes
);
