-- The videos of sources are called what they are: `listed` is `source_videos`. `asks` are `fetches` of a video's own page that
-- were in vain, `again` is whether to `retry` what failed before, and a source of which everything was listed once, `filled`, is
-- `fully_listed`. The old name of the table, with its old columns, stays as a view, for queries of users.

ALTER TABLE listed RENAME TO source_videos;
ALTER TABLE source_videos RENAME COLUMN asks TO fetches;
ALTER TABLE source_videos RENAME COLUMN again TO retry;
ALTER TABLE sources RENAME COLUMN filled TO fully_listed;
ALTER INDEX listed_pkey RENAME TO source_videos_pkey;
ALTER INDEX listed_open RENAME TO source_videos_open;
ALTER SEQUENCE listed_position_seq RENAME TO source_videos_position_seq;
ALTER TABLE source_videos RENAME CONSTRAINT listed_source_fkey TO source_videos_source_fkey;
ALTER TABLE source_videos RENAME CONSTRAINT listed_decision_check TO source_videos_decision_check;
CREATE VIEW listed AS
SELECT source, video_id, position, url, title, channel, published_at, duration_s, live, starts_at, short, members_only,
    fingerprint, fetches AS asks, retry AS again, backlog, present, decision, reason
FROM source_videos;
