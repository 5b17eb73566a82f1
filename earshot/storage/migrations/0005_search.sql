-- Search: by words in the language of the video, by meaning in one text model at a time, over passages of both models while a
-- new one is brought in. `search_passages()` is the one search there is; ingest_assets/search.py calls it, and so may anybody.

-- The text search configuration of a language as whisper names it; `simple`, which knows no stems, where Postgres has none.
CREATE FUNCTION search_config(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE language
        WHEN 'ar' THEN 'arabic' WHEN 'ca' THEN 'catalan' WHEN 'da' THEN 'danish' WHEN 'de' THEN 'german' WHEN 'el' THEN 'greek'
        WHEN 'en' THEN 'english' WHEN 'es' THEN 'spanish' WHEN 'eu' THEN 'basque' WHEN 'fi' THEN 'finnish'
        WHEN 'fr' THEN 'french' WHEN 'hi' THEN 'hindi' WHEN 'hu' THEN 'hungarian' WHEN 'hy' THEN 'armenian'
        WHEN 'id' THEN 'indonesian' WHEN 'it' THEN 'italian' WHEN 'lt' THEN 'lithuanian' WHEN 'ne' THEN 'nepali'
        WHEN 'nl' THEN 'dutch' WHEN 'no' THEN 'norwegian' WHEN 'nn' THEN 'norwegian' WHEN 'pt' THEN 'portuguese'
        WHEN 'ro' THEN 'romanian' WHEN 'ru' THEN 'russian' WHEN 'sr' THEN 'serbian' WHEN 'sv' THEN 'swedish'
        WHEN 'ta' THEN 'tamil' WHEN 'tr' THEN 'turkish' WHEN 'yi' THEN 'yiddish' ELSE 'simple'
    END::regconfig
$$;

-- A text as phrases are looked for in it: small letters, one space between words and around all of them, no punctuation.
CREATE FUNCTION plain_words(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ' ' || btrim(regexp_replace(lower(said), '[^[:alnum:]]+', ' ', 'g')) || ' '
$$;

CREATE TABLE text_models (                       -- text models of which there are passages; one of them is searched
    model          text NOT NULL,
    model_revision text NOT NULL,
    dimension      integer NOT NULL,
    searched_since timestamptz,                  -- NULL: not searched, or not any more
    PRIMARY KEY (model, model_revision)
);
CREATE UNIQUE INDEX text_models_searched ON text_models ((true)) WHERE searched_since IS NOT NULL;

-- The model that made most of what is there is the one that was searched so far.
INSERT INTO text_models (model, model_revision, dimension, searched_since)
SELECT model, model_revision, max(vector_dims(embedding)), CASE WHEN row_number() OVER (ORDER BY count(*) DESC) = 1 THEN now() END
FROM passages GROUP BY model, model_revision;

DROP INDEX passages_search_text;
ALTER TABLE passages
    DROP COLUMN search_text,
    ADD COLUMN language text NOT NULL DEFAULT '', -- as whisper names it, "" where nothing was said
    DROP CONSTRAINT passages_pkey,
    ADD PRIMARY KEY (video_id, model, model_revision, passage_index);
UPDATE passages p SET language = coalesce(t.language, '') FROM transcripts t WHERE t.video_id = p.video_id;
ALTER TABLE passages
    ADD COLUMN search_text tsvector GENERATED ALWAYS AS (to_tsvector(search_config(language), text)) STORED,
    ALTER COLUMN embedding SET STORAGE PLAIN,    -- in the row, as the rest of it: comparing one by one takes half as long
    SET (toast_tuple_target = 8160),
    ADD FOREIGN KEY (model, model_revision) REFERENCES text_models;
CREATE INDEX passages_search_text ON passages USING gin (search_text);
CREATE INDEX passages_speakers ON passages (video_id, local_speaker, model, model_revision);
CREATE INDEX transcripts_language ON transcripts (language);

-- What is searched and shown: the passages of that one model.
CREATE VIEW searched_passages AS
SELECT p.* FROM passages p JOIN text_models m USING (model, model_revision) WHERE m.searched_since IS NOT NULL;

CREATE TABLE corrected_moments (                 -- when somebody else speaks than the local speaker is; made by asset `people`
    video_id  text NOT NULL REFERENCES videos ON DELETE CASCADE,
    start_s   double precision NOT NULL,
    end_s     double precision NOT NULL CHECK (end_s > start_s),
    person_id bigint NOT NULL REFERENCES people ON DELETE CASCADE,
    PRIMARY KEY (video_id, start_s)              -- disjoint
);

-- Who a local speaker is, where it was decided from the voice that is there now: after a new diarization a label is somebody
-- else's, until asset `people` has run.
CREATE VIEW current_identities AS SELECT i.* FROM identities i JOIN local_speakers l USING (video_id, local_speaker, made_at);

-- Who speaks in a passage, in the order in which they begin: as ingest_assets/names.py shows every word of it. Neither id: a
-- local speaker who is unknown, or nobody.
CREATE FUNCTION passage_speakers(passage passages) RETURNS TABLE (shown text, person_id bigint, voice_id bigint)
LANGUAGE sql STABLE AS $$
    WITH corrected AS (                          -- NULL: what is left to the local speaker
        SELECT m.person_id, min(w.word_index) AS begins
        FROM words w LEFT JOIN corrected_moments m ON m.video_id = w.video_id
            AND m.start_s <= (w.start_s + w.end_s) / 2 AND m.end_s > (w.start_s + w.end_s) / 2
        WHERE w.video_id = passage.video_id AND w.word_index BETWEEN passage.first_word AND passage.last_word
            AND EXISTS (SELECT FROM corrected_moments c
                WHERE c.video_id = passage.video_id AND c.start_s < passage.end_s AND c.end_s > passage.start_s)
        GROUP BY m.person_id
    ), spoken AS (
        SELECT coalesce(c.person_id, i.person_id) AS person_id, CASE WHEN c.person_id IS NULL THEN i.voice_id END AS voice_id,
            min(c.begins) AS begins
        FROM (SELECT * FROM corrected UNION ALL SELECT NULL, 0 WHERE NOT EXISTS (SELECT FROM corrected)) c
            LEFT JOIN current_identities i ON i.video_id = passage.video_id AND i.local_speaker = passage.local_speaker
        GROUP BY 1, 2
    )
    SELECT coalesce(people.name, 'voice ' || spoken.voice_id, passage.local_speaker, 'Unknown'), spoken.person_id, spoken.voice_id
    FROM spoken LEFT JOIN people USING (person_id) ORDER BY spoken.begins
$$;

-- What of a question is asked: without what must not be said (-word, -"several words"), and without quotation marks.
CREATE FUNCTION question_asked(question text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT btrim(translate(regexp_replace(translate(question, '“”„«»', '"""""'),
        '(^|\s)-("[^"]*"|[[:alnum:]][^\s"]*)', ' ', 'g'), '"', ' '))
$$;

-- What a question demands: words that must be said in this order ("several words"), or that must not be said at all.
CREATE FUNCTION question_demands(question text) RETURNS TABLE (demanded text, wanted boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(found[2], found[3]), coalesce(found[1], '-') = ''
    FROM regexp_matches(translate(question, '“”„«»', '"""""'),
        '(?:^|\s)(?:(-?)"([^"]*)"|-([[:alnum:]][^\s"]*))', 'g') AS found
    WHERE btrim(plain_words(coalesce(found[2], found[3]))) <> ''
$$;

-- The text search configurations of the languages that are spoken in the library, each with these languages.
CREATE FUNCTION spoken_languages() RETURNS TABLE (config regconfig, languages text[]) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE spoken AS (                   -- from one language to the next, by the index
        (SELECT min(language) AS language FROM transcripts)
        UNION ALL
        SELECT (SELECT min(t.language) FROM transcripts t WHERE t.language > spoken.language)
        FROM spoken WHERE language IS NOT NULL
    )
    SELECT search_config(language), array_agg(language) FROM spoken WHERE language IS NOT NULL GROUP BY 1
$$;

-- The words that a question asks for, as stems, in every language that is spoken in the library: what finding one weighs, and
-- in how many passages it is to be expected. That is what Postgres knows of the thousand most common ones; all others count as
-- the rarest of these. Until it has looked (ANALYZE), all words are alike.
CREATE FUNCTION question_words(question text)
RETURNS TABLE (languages text[], word tsquery, weight double precision, expected double precision) LANGUAGE sql STABLE AS $$
    WITH known AS MATERIALIZED (                 -- one row, or none; behind the shares of the words stands the least of them
        SELECT s.most_common_elems::text::text[] AS lexemes, s.most_common_elem_freqs AS shares FROM pg_stats s
        WHERE s.schemaname = current_schema() AND s.tablename = 'passages' AND s.attname = 'search_text'
    ), common AS (
        SELECT e.lexeme, e.share FROM known, unnest(lexemes, shares[:cardinality(lexemes)]) AS e (lexeme, share)
    ), weighed AS (
        SELECT s.languages, w.lexeme, coalesce(c.share, (SELECT shares[cardinality(lexemes) + 1] FROM known)) AS share
        FROM spoken_languages() s, unnest(to_tsvector(s.config, question_asked(question))) AS w LEFT JOIN common c USING (lexeme)
    )
    SELECT languages, ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery,
        coalesce(ln(1 + 1 / share), 1), coalesce(share * greatest(reltuples, 0), 0)
    FROM weighed, pg_class WHERE oid = 'passages'::regclass
$$;

-- The passages that answer a question, best first. Two lists are joined by reciprocal rank (Cormack and others, 2009), with
-- k = 20, and words counting by the square of their share: else one common word outdoes the nearest in meaning (docs/search.md).
--
--   meaning  by the cosine of a passage's vector to `question_vector`, -1 to 1. The vector is one of the model that is searched;
--            NULL leaves this list out
--   words    by the share of the question's words that a passage has, 0 to 1, each weighted by how rare it is. Words are compared
--            as stems, in the language of the video
--
-- "Several words" in quotation marks must be said in this order, and -word or -"several words" must not: in both lists.
-- The arguments from `person` on leave out passages, NULL leaves out none. No passage is lost by them: at least 5,000 that are left
-- are all compared, and of more the index is scanned on until there are enough. Videos without a date are neither since nor
-- until anything. Passages that several videos have, as re-uploads do, are one row; the others are its `copies`.
--
-- At most 200 rows can be reached by `skip`. Their order does not depend on `results` and `skip`.
CREATE FUNCTION search_passages(
    question text, question_vector vector DEFAULT NULL, results integer DEFAULT 10, skip integer DEFAULT 0,
    person bigint DEFAULT NULL, voice bigint DEFAULT NULL, sources text[] DEFAULT NULL, video_ids text[] DEFAULT NULL,
    spoken text[] DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL
) RETURNS TABLE (
    place bigint, video_id text, passage_index integer, title text, url text, source text, published_at timestamptz,
    language text, start_s double precision, end_s double precision, speakers text[], before text, said text, after text,
    meaning double precision, words double precision, score double precision, copies jsonb
) LANGUAGE plpgsql STABLE
-- Compiling this statement takes longer than running it. The others say how far an index of vectors is scanned.
SET jit = off SET hnsw.ef_search = 800 SET hnsw.iterative_scan = relaxed_order SET hnsw.max_scan_tuples = 200000
AS $function$
#variable_conflict use_column
DECLARE
    -- Measured: docs/search.md.
    -- Passages that are compared one by one, without an index of vectors: as many as take as long as finding 100 of them by it.
    compared CONSTANT integer := greatest(5000,
        50 * sqrt((SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'passages'::regclass)));
    looked_up CONSTANT integer := 1000;          -- passages in which the words that are looked up may be, alone or in pairs
    paired CONSTANT integer := 8;                -- words that are looked up in pairs
    searched text_models;
    of_model text;                               -- conditions on passages p, or on videos v, as SQL
    of_video text;
    demands text;
    checks text;
    phrase boolean;                              -- whether words must stand in their order
    has_word text;                               -- a condition on passages p, and what the words that one has are worth, 0 to 1
    words_of text;
    at_most integer;                             -- passages that are found by words
    corrected CONSTANT text := 'EXISTS (SELECT FROM corrected_moments m WHERE m.video_id = p.video_id AND m.start_s < p.end_s '
        'AND m.end_s > p.start_s)';
    speaks CONSTANT text := 'EXISTS (SELECT FROM passage_speakers(%s) s WHERE s.person_id = $4 OR s.voice_id = $5)';
    by_speaker CONSTANT boolean := person IS NOT NULL OR voice IS NOT NULL;
    rows text;                                   -- all that the arguments leave, as SQL after FROM
    candidates text;                             -- those of them that are ranked, as SQL
    few boolean;
BEGIN
    SELECT * INTO searched FROM text_models WHERE searched_since IS NOT NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF vector_dims(question_vector) <> searched.dimension THEN
        RAISE EXCEPTION 'a vector of % values was given; those of % have %', vector_dims(question_vector), searched.model,
            searched.dimension USING ERRCODE = 'invalid_parameter_value';
    END IF;
    of_model := format('p.model = %L AND p.model_revision = %L', searched.model, searched.model_revision)
        || CASE WHEN spoken IS NULL THEN '' ELSE ' AND p.language = ANY($8)' END;
    of_video := nullif(concat_ws(' AND ', CASE WHEN sources IS NOT NULL THEN 'v.source = ANY($6)' END,
        CASE WHEN video_ids IS NOT NULL THEN 'v.video_id = ANY($7)' END,
        CASE WHEN since IS NOT NULL THEN 'v.published_at >= $9' END,
        CASE WHEN until IS NOT NULL THEN 'v.published_at < $10' END), '');

    -- `demands` can be looked up in the index of words, `checks` are looked at in each passage: that words stand in their order,
    -- roughly before exactly, which takes ten times as long.
    SELECT coalesce(string_agg(' AND (' || holds || ')', '') FILTER (WHERE wanted AND holds IS NOT NULL), ''),
        coalesce(string_agg(' AND NOT (' || holds || ')', '') FILTER (WHERE NOT wanted AND demanded !~ '\s'), '')
        || coalesce(string_agg(format(' AND %s(p.text ILIKE %L AND plain_words(p.text) LIKE %L)',
            CASE WHEN NOT wanted THEN 'NOT ' END, replace(plain_words(demanded), ' ', '%'), '%' || plain_words(demanded) || '%'), '')
            FILTER (WHERE wanted OR demanded ~ '\s'), ''),
        coalesce(bool_or(wanted), false)
    INTO demands, checks, phrase
    FROM question_demands(question) d, LATERAL (
        SELECT string_agg(format('p.language = ANY(%L)', s.languages)
            || CASE WHEN numnode(stems) > 0 THEN format(' AND p.search_text @@ %L', stems) ELSE '' END, ' OR ') AS holds
        FROM spoken_languages() s, phraseto_tsquery(s.config, d.demanded) AS stems
    ) l;

    -- Rare words of a question find passages each alone, of the others the rarest ones two together, and where it has only common
    -- ones all together. Where it has none at all, its phrase does, unless there is too much to look at.
    WITH worded AS (
        SELECT *, sum(expected) OVER rarest AS so_far, row_number() OVER rarest AS nth,
            weight / sum(weight) OVER (PARTITION BY languages) AS share
        FROM question_words(question) WINDOW rarest AS (PARTITION BY languages ORDER BY expected, word::text)
    ), pairs AS (
        SELECT languages, a.word && b.word AS query, sum(a.expected * b.expected / c.reltuples)
            OVER (PARTITION BY languages ORDER BY a.expected * b.expected, a.nth, b.nth) AS so_far
        FROM (SELECT *, row_number() OVER (PARTITION BY languages ORDER BY nth) AS of_common FROM worded WHERE so_far > looked_up) a
            JOIN worded b USING (languages) JOIN pg_class c ON c.oid = 'passages'::regclass
        WHERE a.of_common < paired AND b.nth > a.nth AND b.nth - a.nth <= paired - a.of_common
    ), lookups AS (
        SELECT languages, word AS query FROM worded WHERE so_far <= looked_up
        UNION ALL SELECT languages, query FROM pairs WHERE so_far <= looked_up
    )
    SELECT string_agg(format('p.language = ANY(%L) AND p.search_text @@ %L', languages, coalesce(found, together)), ' OR '),
        CASE WHEN count(found) > 0 THEN 2000 ELSE 200 END,
        coalesce('CASE ' || string_agg(format('WHEN p.language = ANY(%L) THEN %s', languages, shares), ' ')
            || format(' ELSE %s END', phrase::integer), phrase::integer::text)
    INTO has_word, at_most, words_of
    FROM (
        SELECT languages, string_agg(word::text, ' & ') AS together,
            string_agg(format('%s * (p.search_text @@ %L)::integer', share, word), ' + ') AS shares
        FROM worded GROUP BY 1
    ) w LEFT JOIN (SELECT languages, string_agg(query::text, ' | ') AS found FROM lookups GROUP BY 1) l USING (languages);

    rows := CASE WHEN by_speaker THEN format(
            '(SELECT p.ctid, p.* FROM current_identities i JOIN passages p USING (video_id, local_speaker) '
            'WHERE (i.person_id = $4 OR i.voice_id = $5) AND NOT %1$s UNION ALL SELECT p.ctid, (p.passage).* FROM '
            '(SELECT p.ctid, p AS passage FROM passages p WHERE p.video_id = ANY(ARRAY(SELECT m.video_id FROM corrected_moments m)) '
            'AND %1$s OFFSET 0) p WHERE %2$s) p', corrected, format(speaks, 'p.passage'))
        ELSE 'passages p' END
        || CASE WHEN of_video IS NULL THEN ' WHERE ' ELSE format(' JOIN videos v USING (video_id) WHERE %s AND ', of_video) END
        || of_model || demands;
    EXECUTE format('SELECT count(*) <= %1$s FROM (SELECT FROM %2$s LIMIT %1$s + 1) counted', compared, rows) INTO few
        USING question_vector, results, skip, person, voice, sources, video_ids, spoken, since, until;
    has_word := coalesce(has_word, (phrase AND few)::text);
    IF few THEN                                  -- each is looked at once
        candidates := format('(WITH looked_at AS MATERIALIZED (SELECT p.ctid, p.embedding <=> $1 AS distance, %s AS worded '
            'FROM %s) (SELECT ctid FROM looked_at WHERE $1 IS NOT NULL ORDER BY distance LIMIT 100) '
            'UNION (SELECT ctid FROM looked_at WHERE worded LIMIT %s))', has_word, rows || checks, at_most);
    ELSE                                         -- in the order of the index, so each passage is looked at by itself
        rows := 'passages p WHERE ' || of_model || demands || checks
            || CASE WHEN of_video IS NULL THEN ''
                ELSE format(' AND (SELECT %s FROM videos v WHERE v.video_id = p.video_id)', of_video) END
            || CASE WHEN by_speaker THEN format(' AND CASE WHEN %s THEN %s ELSE EXISTS (SELECT FROM current_identities i '
                'WHERE i.video_id = p.video_id AND i.local_speaker = p.local_speaker '
                'AND (i.person_id = $4 OR i.voice_id = $5)) END', corrected, format(speaks, 'p')) ELSE '' END;
        candidates := format('(SELECT p.ctid FROM %1$s AND $1 IS NOT NULL '
            'ORDER BY p.embedding::halfvec(%2$s) <=> $1::halfvec(%2$s) LIMIT 100) '
            'UNION (SELECT p.ctid FROM %1$s AND (%3$s) LIMIT %4$s)', rows, searched.dimension, has_word, at_most);
    END IF;

    RETURN QUERY EXECUTE format($statement$
        WITH candidates AS MATERIALIZED (
            %1$s
        ), scored AS MATERIALIZED (
            SELECT p.ctid, v.published_at, p.video_id, p.passage_index, 1 - (p.embedding <=> $1) AS meaning,
                (%2$s)::double precision AS words
            FROM candidates c JOIN passages p ON p.ctid = c.ctid JOIN videos v USING (video_id)
        ), ranked AS (
            SELECT *, CASE WHEN meaning IS NULL THEN 0 ELSE 1.0 / (20 + rank() OVER (ORDER BY meaning DESC)) END
                + words * words / (20 + rank() OVER (ORDER BY words DESC)) AS score
            FROM scored
        ), best AS MATERIALIZED (
            SELECT row_number() OVER (ORDER BY score DESC, published_at DESC NULLS LAST, video_id, passage_index) AS place,
                ctid, meaning, words, score
            FROM ranked ORDER BY 1 LIMIT 200
        ), placed AS MATERIALIZED (
            SELECT b.place, b.meaning, b.words, b.score, v.title, v.url, v.source, v.published_at, p.*,
                plain_words(p.text) AS plain, p.last_word - p.first_word >= 4 AS telling, p.end_s - p.start_s AS length_s
            FROM best b JOIN passages p ON p.ctid = b.ctid JOIN videos v USING (video_id)
        ), alike AS MATERIALIZED (               -- each with the first that is the same; the same words take the same time
            SELECT place, min(first) AS first FROM (
                SELECT place, place AS first FROM placed
                UNION ALL
                SELECT p.place, o.place FROM placed p JOIN placed o USING (plain)
                WHERE o.place < p.place AND o.video_id <> p.video_id AND p.telling
                UNION ALL
                SELECT p.place, o.place
                FROM placed p JOIN placed o ON o.place < p.place AND abs(o.length_s - p.length_s) < 2 AND o.video_id <> p.video_id
                    AND p.telling AND o.telling AND o.embedding <=> p.embedding < 0.02
            ) pairs GROUP BY 1
        ), folded AS (
            SELECT a.place, f.first FROM alike a JOIN alike f ON f.place = a.first
        ), rows AS (
            SELECT row_number() OVER (ORDER BY place) AS nth, place FROM folded WHERE place = first
            ORDER BY place OFFSET $3 LIMIT $2
        )
        SELECT r.nth, p.video_id, p.passage_index, p.title, p.url, p.source, p.published_at, p.language, p.start_s, p.end_s,
            ARRAY(SELECT s.shown FROM passages k, passage_speakers(k) s WHERE k.video_id = p.video_id AND k.model = p.model
                AND k.model_revision = p.model_revision AND k.passage_index = p.passage_index),
            b.text, p.text, a.text, p.meaning, p.words, p.score::double precision,
            (SELECT coalesce(jsonb_agg(jsonb_build_object('video_id', c.video_id, 'title', c.title, 'url', c.url,
                'start_s', c.start_s, 'end_s', c.end_s) ORDER BY c.place), '[]')
                FROM folded f JOIN placed c USING (place) WHERE f.first = r.place AND f.place <> r.place)
        FROM rows r JOIN placed p USING (place)
            LEFT JOIN passages b ON (b.video_id, b.model, b.model_revision, b.passage_index)
                = (p.video_id, p.model, p.model_revision, p.passage_index - 1)
            LEFT JOIN passages a ON (a.video_id, a.model, a.model_revision, a.passage_index)
                = (p.video_id, p.model, p.model_revision, p.passage_index + 1)
        ORDER BY r.nth
        $statement$, candidates, words_of)
        USING question_vector, results, skip, person, voice, sources, video_ids, spoken, since, until;
END
$function$;
