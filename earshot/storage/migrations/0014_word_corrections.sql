-- Words that users corrected. A correction holds by time, so that it survives a new transcription.

CREATE TABLE word_corrections (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,   -- where two overlap, the higher one holds
    video_id text NOT NULL REFERENCES videos ON DELETE CASCADE,
    start_s  double precision NOT NULL,                         -- it replaces the words with their middle in this span
    end_s    double precision NOT NULL CHECK (end_s >= start_s),
    text     text NOT NULL,                                     -- '': these words were not said
    heard    text NOT NULL,                                     -- the words of the transcript when the correction was made
    made_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX word_corrections_video ON word_corrections (video_id, number);

-- The numbers of the corrections that passages were embedded with, in order; of other stages, none.
ALTER TABLE stage_outputs ADD COLUMN word_corrections bigint[] NOT NULL DEFAULT '{}';
CREATE INDEX stage_outputs_corrected ON stage_outputs (video_id) WHERE word_corrections <> '{}';

-- Passages whose vectors were made with other corrections than there are now. Their text is always the corrected one.
CREATE VIEW outdated_passages AS
SELECT o.video_id, o.timing_id, c.numbers AS word_corrections
FROM (SELECT video_id FROM word_corrections UNION SELECT video_id FROM stage_outputs WHERE word_corrections <> '{}') corrected
JOIN stage_outputs o USING (video_id) CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(w.number ORDER BY w.number), '{}') AS numbers FROM word_corrections w WHERE w.video_id = o.video_id
) c
WHERE o.asset = 'text_embeddings' AND o.word_corrections <> c.numbers;

-- Search leaves out passages of which every word was deleted.
DO $migration$
DECLARE
    search CONSTANT text := pg_get_functiondef('search_passages'::regproc);
    of_model CONSTANT text := 'p.model = %L AND p.model_revision = %L';
BEGIN
    ASSERT position(of_model IN search) > 0;
    EXECUTE replace(search, of_model, of_model || ' AND p.text <> ''''''''');
END
$migration$;
