-- Search: finds phrases by an index of pairs of words, and does not count what it need not.

-- Each two words that stand next to each other in a text, as `plain_words()` has them. An index looks phrases up by them; while
-- Postgres builds one, it finds no function but its own.
CREATE FUNCTION word_pairs(said text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT left(word, 100) || ' ' || left(next, 100)
        FROM (SELECT string_to_array(btrim(regexp_replace(lower(said), '[^[:alnum:]]+', ' ', 'g')), ' ') AS words) w,
            unnest(words, words[2:]) AS pair (word, next)
        WHERE next IS NOT NULL)
$$;

CREATE INDEX passages_word_pairs ON passages USING gin (word_pairs(text));

-- What Postgres knows of the words of all passages: the most common ones, and in which share of the passages each is. Behind
-- these shares stands the least of them. One row; none until it has looked (ANALYZE).
CREATE FUNCTION known_words() RETURNS TABLE (lexemes text[], shares real[]) LANGUAGE sql STABLE AS $$
    SELECT s.most_common_elems::text::text[], s.most_common_elem_freqs FROM pg_stats s
    WHERE s.schemaname = current_schema() AND s.tablename = 'passages' AND s.attname = 'search_text'
$$;

CREATE OR REPLACE FUNCTION question_words(question text)
RETURNS TABLE (languages text[], word tsquery, weight double precision, expected double precision) LANGUAGE sql STABLE AS $$
    WITH known AS MATERIALIZED (
        SELECT * FROM known_words()
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

-- The search as a whole, which 0011, 0014 and 0018 changed in parts. 0005_search.sql says what it does.
CREATE OR REPLACE FUNCTION search_passages(
    question text, question_vector vector DEFAULT NULL, results integer DEFAULT 10, skip integer DEFAULT 0,
    person bigint DEFAULT NULL, voice bigint DEFAULT NULL, sources text[] DEFAULT NULL, video_ids text[] DEFAULT NULL,
    spoken text[] DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL
) RETURNS TABLE (
    place bigint, video_id text, passage_index integer, title text, url text, source text, published_at timestamptz,
    language text, start_s double precision, end_s double precision, speakers text[], before text, text text, after text,
    meaning double precision, words double precision, score double precision, copies jsonb
) LANGUAGE plpgsql STABLE
-- Compiling this statement takes longer than running it. The others say how far an index of vectors is scanned, and keep the
-- places of a common word in memory.
SET jit = off SET hnsw.ef_search = 800 SET hnsw.iterative_scan = relaxed_order SET hnsw.max_scan_tuples = 200000
SET work_mem = '32MB'
AS $function$
#variable_conflict use_column
DECLARE
    -- Measured: docs/measurements/search.md.
    -- Passages that are compared one by one, without an index of vectors: as many as take as long as finding 100 of them by it.
    of_library CONSTANT real := (SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'passages'::regclass);
    compared CONSTANT integer := greatest(5000, 50 * sqrt(of_library));
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
    corrected CONSTANT text := 'EXISTS (SELECT FROM segment_overrides m WHERE m.video_id = p.video_id AND m.start_s < p.end_s '
        'AND m.end_s > p.start_s)';
    speaks CONSTANT text := 'EXISTS (SELECT FROM passage_speakers(%s) s WHERE s.person_id = $4 OR s.voice_id = $5)';
    by_speaker CONSTANT boolean := person IS NOT NULL OR voice IS NOT NULL;
    rows text;                                   -- all that the arguments leave, as SQL after FROM
    candidates text;                             -- those of them that are ranked, as SQL
    counted text;                                -- whether these are few, as SQL
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
        CASE WHEN since IS NOT NULL THEN 'coalesce(v.published_at, ''-infinity'') >= $9' END,
        CASE WHEN until IS NOT NULL THEN 'coalesce(v.published_at, ''-infinity'') < $10 AND v.published_at IS NOT NULL' END), '');

    -- `demands` can be looked up in an index, `checks` are made on each passage: that words stand in their order. Two words or
    -- more are looked up in pairs, one by its stem.
    SELECT coalesce(string_agg(CASE WHEN cardinality(pairs) > 0 THEN format(' AND word_pairs(p.text) @> %L', pairs)
            ELSE ' AND (' || holds || ')' END, '') FILTER (WHERE wanted AND (cardinality(pairs) > 0 OR holds IS NOT NULL)), ''),
        ' AND p.text <> ''''' || coalesce(string_agg(' AND NOT (' || holds || ')', '') FILTER (WHERE NOT wanted AND demanded !~ '\s'), '')
        || coalesce(string_agg(format(' AND p.text %s %L', CASE WHEN wanted THEN '~*' ELSE '!~*' END, phrase_pattern(demanded)), '')
            FILTER (WHERE wanted OR demanded ~ '\s'), ''),
        coalesce(bool_or(wanted), false)
    INTO demands, checks, phrase
    FROM question_demands(question) d, LATERAL (
        SELECT word_pairs(d.demanded) AS pairs, string_agg(format('p.language = ANY(%L)', s.languages)
            || CASE WHEN numnode(stems) > 0 THEN format(' AND p.search_text @@ %L', stems) ELSE '' END, ' OR ') AS holds
        FROM spoken_languages() s, phraseto_tsquery(s.config, d.demanded) AS stems
    ) l;

    -- Rare words of a question find passages each alone, of the others the rarest ones two together, and where it has only common
    -- ones all together. Where it has none at all, its phrase does, unless there is too much to look at. The index reads all
    -- passages of the rarer word of two, and skips through those of the others.
    WITH worded AS (
        SELECT *, sum(expected) OVER rarest AS so_far, row_number() OVER rarest AS nth,
            weight / sum(weight) OVER (PARTITION BY languages) AS share
        FROM question_words(question) WINDOW rarest AS (PARTITION BY languages ORDER BY expected, word::text)
    ), pairs AS (
        SELECT languages, a.word AS rarer, b.word AS other, sum(a.expected * b.expected / of_library)
            OVER (PARTITION BY languages ORDER BY a.expected * b.expected, a.nth, b.nth) AS so_far
        FROM (SELECT *, row_number() OVER (PARTITION BY languages ORDER BY nth) AS of_common FROM worded WHERE so_far > looked_up) a
            JOIN worded b USING (languages)
        WHERE a.of_common < paired AND b.nth > a.nth AND b.nth - a.nth <= paired - a.of_common
    ), lookups AS (
        SELECT languages, string_agg(word::text, ' | ') AS query FROM worded WHERE so_far <= looked_up GROUP BY languages
        UNION ALL
        SELECT languages, format('%s & (%s)', rarer, string_agg(other::text, ' | ')) FROM pairs WHERE so_far <= looked_up
        GROUP BY languages, rarer
    ), found AS (
        SELECT languages, string_agg(format('p.search_text @@ %L', query), ' OR ') AS by_words FROM lookups GROUP BY languages
    )
    SELECT string_agg(format('p.language = ANY(%L) AND (%s)', languages,
            coalesce(by_words, format('p.search_text @@ %L', together))), ' OR '),
        CASE WHEN count(by_words) > 0 THEN 2000 ELSE 200 END,
        coalesce('CASE ' || string_agg(format('WHEN p.language = ANY(%L) THEN %s', languages, shares), ' ')
            || format(' ELSE %s END', phrase::integer), phrase::integer::text)
    INTO has_word, at_most, words_of
    FROM (
        SELECT languages, string_agg(word::text, ' & ') AS together,
            string_agg(format('%s * (p.search_text @@ %L)::integer', share, word), ' + ') AS shares
        FROM worded GROUP BY 1
    ) w LEFT JOIN found USING (languages);

    rows := CASE WHEN by_speaker THEN format(
            '(SELECT p.ctid, p.* FROM current_identities i JOIN passages p USING (video_id, local_speaker) '
            'WHERE (i.person_id = $4 OR i.voice_id = $5) AND NOT %1$s UNION ALL SELECT p.ctid, (p.passage).* FROM '
            '(SELECT p.ctid, p AS passage FROM passages p WHERE p.video_id = ANY(ARRAY(SELECT m.video_id FROM segment_overrides m)) '
            'AND %1$s OFFSET 0) p WHERE %2$s) p', corrected, format(speaks, 'p.passage'))
        ELSE 'passages p' END
        || CASE WHEN of_video IS NULL THEN ' WHERE ' ELSE format(' JOIN videos v USING (video_id) WHERE %s AND ', of_video) END
        || of_model || demands;
    IF spoken IS NULL AND demands = '' AND NOT by_speaker AND of_library > 2 * compared THEN
        -- Counting passages would take as long as the rest. These videos have as many as others do.
        counted := format('SELECT %s <= %s / %s::float', CASE WHEN of_video IS NULL THEN 'reltuples' ELSE format('(SELECT count(*) FROM '
            'videos v WHERE %s)', of_video) END, compared, of_library)
            || ' * greatest(reltuples, 1) FROM pg_class WHERE oid = ''videos''::regclass';
    ELSE
        counted := format('SELECT count(*) <= %1$s FROM (SELECT FROM %2$s LIMIT %1$s + 1) counted', compared, rows);
    END IF;
    EXECUTE counted INTO few USING question_vector, results, skip, person, voice, sources, video_ids, spoken, since, until;
    has_word := coalesce(has_word, (phrase AND few)::text);
    IF few AND by_speaker THEN                   -- each is read once
        candidates := format('(WITH compared_rows AS MATERIALIZED (SELECT p.ctid, p.embedding <=> $1 AS distance, %s AS worded '
            'FROM %s) (SELECT ctid FROM compared_rows WHERE $1 IS NOT NULL ORDER BY distance LIMIT 100) '
            'UNION (SELECT ctid FROM compared_rows WHERE worded LIMIT %s))', has_word, rows || checks, at_most);
    ELSIF few THEN                               -- all are compared; those with the words are looked up
        candidates := format('(SELECT p.ctid FROM %1$s AND $1 IS NOT NULL ORDER BY p.embedding <=> $1 LIMIT 100) '
            'UNION (SELECT p.ctid FROM %1$s AND (%2$s) LIMIT %3$s)', rows || checks, has_word, at_most);
    ELSE                                         -- in the order of the index, passage by passage
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
            SELECT p.ctid, p.video_id, p.passage_index, 1 - (p.embedding <=> $1) AS meaning, (%2$s)::double precision AS words
            FROM candidates c JOIN passages p ON p.ctid = c.ctid
        ), ranked AS (
            SELECT *, CASE WHEN meaning IS NULL THEN 0 ELSE 1.0 / (20 + rank() OVER (ORDER BY meaning DESC)) END
                + words * words / (20 + rank() OVER (ORDER BY words DESC)) AS score
            FROM scored
        ), best AS MATERIALIZED (
            SELECT * FROM ranked ORDER BY score DESC FETCH FIRST 200 ROWS WITH TIES
        ), dated AS MATERIALIZED (
            SELECT row_number() OVER (ORDER BY score DESC, published_at DESC NULLS LAST, video_id, passage_index) AS place,
                b.ctid, meaning, words, score, title, url, source, published_at
            FROM best b JOIN videos v USING (video_id) ORDER BY 1 LIMIT 200
        ), placed AS MATERIALIZED (
            SELECT d.place, d.meaning, d.words, d.score, d.title, d.url, d.source, d.published_at, p.*,
                p.last_word - p.first_word >= 4 AS telling, floor(p.end_s - p.start_s)::integer AS length_s,
                CASE WHEN count(*) OVER (PARTITION BY p.search_text) > 1 THEN plain_words(p.text) END AS plain
            FROM dated d JOIN passages p ON p.ctid = d.ctid
        ), alike AS MATERIALIZED (               -- each with the first that is the same; the same words take the same time
            SELECT place, min(first) AS first FROM (
                SELECT place, place AS first FROM placed
                UNION ALL
                SELECT p.place, o.place FROM placed p JOIN placed o USING (plain)
                WHERE o.place < p.place AND o.video_id <> p.video_id AND p.telling
                UNION ALL
                SELECT p.place, o.place
                FROM placed p, generate_series(p.length_s - 2, p.length_s + 2) AS about JOIN placed o ON o.length_s = about
                WHERE o.place < p.place AND o.video_id <> p.video_id AND p.telling AND o.telling
                    AND o.embedding <=> p.embedding < 0.02
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
