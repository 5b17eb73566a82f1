-- Removal of videos by the user, and lists of videos by pages.

CREATE TABLE excluded_videos (                  -- removed by the user: no listing brings them back
    video_id   text PRIMARY KEY,
    url        text NOT NULL,
    source     text NOT NULL,
    title      text NOT NULL,
    removed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE unfinished_removals (              -- rows are gone; audio and Dagster's partition are yet to be deleted
    video_id text PRIMARY KEY,
    uri      text                               -- of the audio, as in table `audio`; NULL: there was none
);

CREATE INDEX videos_newest ON videos (coalesce(published_at, '-infinity'), registered_at, video_id);
CREATE INDEX videos_state ON videos (state, coalesce(published_at, '-infinity'), registered_at, video_id);
CREATE INDEX videos_source_newest ON videos (source, coalesce(published_at, '-infinity'), registered_at, video_id);
DROP INDEX videos_source;                       -- a prefix of the one above
CREATE INDEX source_videos_video ON source_videos (video_id);
