-- What corrections say of less than a whole speaker is called by its name: `corrected_moments` is `segment_overrides`, and the
-- text of a passage that search finds is `text`, which was `said`. The old name of the table stays as a view, for queries of
-- users.

ALTER TABLE corrected_moments RENAME TO segment_overrides;
ALTER INDEX corrected_moments_pkey RENAME TO segment_overrides_pkey;
ALTER TABLE segment_overrides RENAME CONSTRAINT corrected_moments_check TO segment_overrides_check;
ALTER TABLE segment_overrides RENAME CONSTRAINT corrected_moments_person_id_fkey TO segment_overrides_person_id_fkey;
ALTER TABLE segment_overrides RENAME CONSTRAINT corrected_moments_video_id_fkey TO segment_overrides_video_id_fkey;
CREATE VIEW corrected_moments AS SELECT * FROM segment_overrides;

-- The functions of search as they were but for these names. One that returns other columns must be made anew.
DO $migration$
DECLARE
    speakers CONSTANT text := pg_get_functiondef('passage_speakers'::regproc);
    search CONSTANT text := pg_get_functiondef('search_passages'::regproc);
BEGIN
    EXECUTE replace(speakers, 'corrected_moments', 'segment_overrides');
    DROP FUNCTION search_passages;
    EXECUTE replace(replace(search, 'corrected_moments', 'segment_overrides'), 'before text, said text,', 'before text, text text,');
END
$migration$;
