-- What users know of a video before it is heard. The hints of sources are in sources.yaml.

CREATE TABLE video_hints (
    video_id text PRIMARY KEY REFERENCES videos ON DELETE CASCADE,
    hints    jsonb NOT NULL  -- by key, of those that are given: vocabulary, vocabulary_from, prompt, languages, speakers
);

-- The hints that the stage was run with: of its keys, those with a value.
ALTER TABLE stage_outputs ADD COLUMN hints jsonb NOT NULL DEFAULT '{}';
CREATE INDEX stage_outputs_hinted ON stage_outputs (video_id) WHERE hints <> '{}';
