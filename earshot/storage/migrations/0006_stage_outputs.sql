-- What each stage of each video left last, and from what: by this, and nothing else, it is out of date or not.

CREATE TABLE stage_outputs (                    -- no row while the stage's own rows are being replaced
    video_id       text NOT NULL REFERENCES videos ON DELETE CASCADE,
    asset          text NOT NULL,
    timing_id      bigint NOT NULL,             -- the row of asset_timings that tells what it cost
    code_version   text NOT NULL,
    model          text NOT NULL,               -- "" where the stage loads none
    model_revision text NOT NULL,
    content        text NOT NULL,               -- a digest of what the stages below and users read of it, "" where none is made
    made_from      jsonb NOT NULL,              -- by stage above: the content that it had
    details        jsonb NOT NULL DEFAULT '{}', -- the stage's further metadata, as text
    current_at     timestamptz NOT NULL DEFAULT now(), -- when a run made it, or last found that it would make the same
    PRIMARY KEY (video_id, asset)
);

-- Of what was there before no content is known: each run stands for another one.
WITH runs AS (
    SELECT DISTINCT ON (video_id, asset) t.* FROM asset_timings t JOIN videos USING (video_id)
    ORDER BY video_id, asset, timing_id DESC
), graph (asset, above) AS (VALUES
    ('transcript', 'audio'), ('speaker_turns', 'audio'), ('voice_embeddings', 'audio'), ('voice_embeddings', 'speaker_turns'),
    ('text_embeddings', 'transcript'), ('text_embeddings', 'speaker_turns')
)
INSERT INTO stage_outputs (video_id, asset, timing_id, code_version, model, model_revision, content, made_from)
SELECT video_id, asset, timing_id, code_version, CASE asset WHEN 'audio' THEN '' ELSE model END,
    CASE asset WHEN 'audio' THEN '' ELSE model_revision END, 'run ' || run_id,
    coalesce((
        SELECT jsonb_object_agg(graph.above, coalesce((
            SELECT 'run ' || t.run_id FROM asset_timings t
            WHERE t.video_id = r.video_id AND t.asset = graph.above AND t.timing_id < r.timing_id
            ORDER BY t.timing_id DESC LIMIT 1), ''))
        FROM graph WHERE graph.asset = r.asset), '{}')
FROM runs r;
