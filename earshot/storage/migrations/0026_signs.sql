-- Search compares the passages that a filter leaves by the signs of their vectors first, and only the nearest of them by their
-- vectors: a passage's row has 2.7 kB, its signs 56 bytes. Reading the rows took longer than anything else.

-- The passages of a video in one text model, with what a filter and the first comparison need. Passages are inserted and deleted,
-- and change in `text` alone. What is here of deleted passages finds nothing; it ends with the video, the model or the next insert.
CREATE TABLE passage_signs (
    video_id       text NOT NULL REFERENCES videos ON DELETE CASCADE,
    model          text NOT NULL,
    model_revision text NOT NULL,
    language       text NOT NULL,                -- that of the passages
    indexes        integer[] NOT NULL,           -- their passage_index
    speakers       text[] NOT NULL,              -- their local_speaker, in the same order
    signs          bit varying[] NOT NULL,       -- one bit for each value of their vectors: 1 where it is above 0
    PRIMARY KEY (video_id, model, model_revision),
    FOREIGN KEY (model, model_revision) REFERENCES text_models ON DELETE CASCADE
);
ALTER TABLE passage_signs ALTER COLUMN signs SET STORAGE EXTERNAL;  -- bits without order cannot be compressed

INSERT INTO passage_signs
SELECT video_id, model, model_revision, min(language), array_agg(passage_index ORDER BY passage_index),
    array_agg(local_speaker ORDER BY passage_index), array_agg(binary_quantize(embedding)::bit varying ORDER BY passage_index)
FROM passages GROUP BY video_id, model, model_revision;

CREATE INDEX passage_signs_language ON passage_signs (language);
ANALYZE passage_signs;

-- Writes the signs of the videos into which passages were inserted. A plan made while the table was small must not stay.
CREATE FUNCTION write_passage_signs() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO passage_signs
    SELECT a.video_id, a.model, a.model_revision, s.*
    FROM (SELECT DISTINCT video_id, model, model_revision FROM added) a, LATERAL (
        SELECT min(p.language), array_agg(p.passage_index ORDER BY p.passage_index),
            array_agg(p.local_speaker ORDER BY p.passage_index),
            array_agg(binary_quantize(p.embedding)::bit varying ORDER BY p.passage_index)
        FROM passages p WHERE (p.video_id, p.model, p.model_revision) = (a.video_id, a.model, a.model_revision)
    ) s
    ON CONFLICT (video_id, model, model_revision) DO UPDATE
        SET (language, indexes, speakers, signs) = (excluded.language, excluded.indexes, excluded.speakers, excluded.signs);
    RETURN NULL;
END
$$;
CREATE TRIGGER passage_signs_written AFTER INSERT ON passages REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION write_passage_signs();

-- Search: where filters leave few passages, but at least a tenth of what counts as few, the nearest are found by their signs, unless
-- the question demands or excludes words. In a large library, how many are left is inferred from the number of videos, or of the
-- local speakers who are this person. Passages of a language are found by their videos.
DO $migration$
DECLARE
    search text := pg_get_functiondef('search_passages'::regproc);
    change text[];
BEGIN
    FOREACH change SLICE 1 IN ARRAY ARRAY[
        [$sql$    candidates text; $sql$,
         $sql$    signed CONSTANT integer := 800;              -- the nearest by their signs, which are compared by their vectors
    overridden CONSTANT text := '(ARRAY(SELECT m.video_id FROM segment_overrides m))';
    of_person CONSTANT text := CASE WHEN by_speaker THEN '(i.person_id = $4 OR i.voice_id = $5)' END;
    in_videos text;                              -- `of_video` and the language, as conditions on videos v
    chosen text;                                 -- `of_video` and `of_person`
    of_signs text;                               -- conditions on passage_signs s, as SQL
    most integer;                                -- how many of what is counted are few
    remaining integer;                           -- how many the arguments leave
    candidates text; $sql$],
        [$sql$    rows := CASE WHEN by_speaker THEN format($sql$,
         $sql$    of_signs := replace(of_model, 'p.', 's.');
    in_videos := nullif(concat_ws(' AND ', of_video, CASE WHEN spoken IS NOT NULL THEN
        'EXISTS (SELECT FROM passage_signs s WHERE s.video_id = v.video_id AND ' || of_signs || ')' END), '');
    chosen := nullif(concat_ws(' AND ', of_video, of_person), '');
    rows := CASE WHEN by_speaker THEN format($sql$],
        [$sql$CASE WHEN of_video IS NULL THEN ' WHERE ' ELSE format(' JOIN videos v USING (video_id) WHERE %s AND ', of_video) END$sql$,
         $sql$CASE WHEN in_videos IS NULL THEN ' WHERE ' ELSE format(' JOIN videos v USING (video_id) WHERE %s AND ', in_videos) END$sql$],
        [$sql$    IF spoken IS NULL AND demands = '' AND NOT by_speaker AND of_library > 2 * compared THEN
        -- Counting passages would take as long as the rest. These videos have as many as others do.
        counted := format('SELECT %s <= %s / %s::float', CASE WHEN of_video IS NULL THEN 'reltuples' ELSE format('(SELECT count(*) FROM '
            'videos v WHERE %s)', of_video) END, compared, of_library)
            || ' * greatest(reltuples, 1) FROM pg_class WHERE oid = ''videos''::regclass';
    ELSE
        counted := format('SELECT count(*) <= %1$s FROM (SELECT FROM %2$s LIMIT %1$s + 1) counted', compared, rows);
    END IF;
    EXECUTE counted INTO few USING question_vector, results, skip, person, voice, sources, video_ids, spoken, since, until;
$sql$,
         $sql$    most := compared;
    counted := rows;
    IF demands = '' AND of_library > 2 * compared THEN
        -- Counting passages would take as long as the rest. These videos, or local speakers, have as many as others do.
        most := (SELECT compared / of_library * greatest(reltuples, 1) FROM pg_class
            WHERE oid = CASE WHEN by_speaker THEN 'local_speakers' ELSE 'videos' END::regclass);
        counted := CASE WHEN NOT by_speaker THEN 'videos v' WHEN in_videos IS NULL THEN 'identities i'
            ELSE 'identities i JOIN videos v USING (video_id)' END
            || coalesce(' WHERE ' || nullif(concat_ws(' AND ', in_videos, of_person), ''), '');
    END IF;
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %s LIMIT %s) counted', counted, most + 1) INTO remaining
        USING question_vector, results, skip, person, voice, sources, video_ids, spoken, since, until;
    few := remaining <= most;
$sql$],
        [$sql$    IF few AND by_speaker THEN                   -- each is read once
$sql$,
         $sql$    IF few AND remaining > most / 10 AND demands || checks = ' AND p.text <> ''''' THEN
        -- The nearest by their signs are compared, and those of the person in videos with overrides; those with the words are looked up.
        candidates := format('(SELECT ctid FROM (SELECT p.ctid, p.embedding FROM (SELECT video_id, passage_index FROM '
            '(SELECT s.video_id, unnest(s.indexes) AS passage_index, unnest(s.signs) AS signs%s OFFSET 0) s%s '
            'ORDER BY signs <~> binary_quantize($1) LIMIT %s) s JOIN passages p USING (video_id, passage_index) WHERE %s%s) near '
            'WHERE $1 IS NOT NULL ORDER BY embedding <=> $1 LIMIT 100) '
            'UNION (SELECT ctid FROM (SELECT p.ctid, %s AS worth FROM %s AND (%s) LIMIT %s) w '
            'ORDER BY worth DESC FETCH FIRST 300 ROWS WITH TIES)',
            CASE WHEN by_speaker THEN ', unnest(s.speakers) AS speaker, i.local_speaker' ELSE '' END
                || CASE WHEN chosen IS NULL THEN ' FROM passage_signs s WHERE ' || of_signs ELSE format(
                    ' FROM %s, LATERAL (SELECT * FROM passage_signs s WHERE s.video_id = %s.video_id AND %s OFFSET 0) s WHERE %s',
                    CASE WHEN NOT by_speaker THEN 'videos v' WHEN of_video IS NULL THEN 'current_identities i'
                        ELSE 'current_identities i JOIN videos v USING (video_id)' END,
                    CASE WHEN by_speaker THEN 'i' ELSE 'v' END, of_signs,
                    chosen || CASE WHEN by_speaker THEN ' AND i.video_id <> ALL' || overridden ELSE '' END) END,
            CASE WHEN by_speaker THEN ' WHERE speaker = local_speaker' ELSE '' END, signed, of_model || checks,
            CASE WHEN by_speaker THEN format(' UNION ALL SELECT p.ctid, p.embedding FROM %s AND p.video_id = ANY%s', rows || checks,
                overridden) ELSE '' END,
            words_of,
            -- IS TRUE: the videos are hashed, not looked up for each passage
            CASE WHEN by_speaker THEN rows ELSE format('passages p WHERE %s%s', of_model, CASE WHEN of_video IS NOT NULL THEN
                format(' AND (p.video_id IN (SELECT v.video_id FROM videos v WHERE %s)) IS TRUE', of_video) ELSE '' END) END
                || checks, has_word, at_most);
    ELSIF few AND by_speaker THEN                -- each is read once
$sql$]
    ] LOOP
        ASSERT position(change[1] IN search) > 0, change[1];
        search := replace(search, change[1], change[2]);
    END LOOP;
    EXECUTE search;
END
$migration$;
