-- Captions that others made of a video: searched until its own transcript is made.

ALTER TABLE source_videos ADD COLUMN captions jsonb;  -- the file that the source names: CaptionFile of catalog/entries.py

-- What came of looking for a video's captions. With a model: the video's passages of this model are captions. The transaction
-- that writes its transcript's passages deletes them with this row; those of another model stay until search switches.
CREATE TABLE captions (
    video_id       text PRIMARY KEY REFERENCES videos ON DELETE CASCADE,
    file           text NOT NULL,                -- its place; captions at another one are read again; '': the site was asked
    looked_at      timestamptz NOT NULL DEFAULT now(),
    failures       integer NOT NULL DEFAULT 0,   -- since there were some, or another file
    retry_at       timestamptz,                  -- NULL: only if there is another file
    reason         text,                         -- why there are none, or not the latest
    origin         text CHECK (origin IN ('site', 'feed', 'file')),
    language       text,                         -- as whisper names it, '' if unknown
    automatic      boolean,                      -- made by a machine
    model          text,
    model_revision text,
    FOREIGN KEY (model, model_revision) REFERENCES text_models ON DELETE CASCADE,
    CHECK (num_nulls(origin, language, automatic, model, model_revision) IN (0, 5))
);
CREATE INDEX captions_language ON captions (language);

-- As before, with the languages of captions.
CREATE OR REPLACE FUNCTION spoken_languages() RETURNS TABLE (config regconfig, languages text[]) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE spoken AS (                   -- from one language to the next, by the indexes; least() ignores NULL
        (SELECT least((SELECT min(language) FROM transcripts), (SELECT min(language) FROM captions)) AS language)
        UNION ALL
        SELECT least((SELECT min(t.language) FROM transcripts t WHERE t.language > spoken.language),
            (SELECT min(c.language) FROM captions c WHERE c.language > spoken.language))
        FROM spoken WHERE language IS NOT NULL
    )
    SELECT search_config(language), array_agg(language) FROM spoken WHERE language IS NOT NULL GROUP BY 1
$$;
