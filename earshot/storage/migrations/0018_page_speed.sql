-- Titles by their words, for the list of videos.

-- The words of a title, in small letters. Where a script puts no spaces between words, each character is one.
CREATE FUNCTION title_words(title text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT left(word, 100) FROM string_to_table(btrim(plain_words(regexp_replace(normalize(left(title, 10000), NFKC),
        '([\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF])', ' \1 ', 'g'))), ' ') AS word WHERE word <> '')
$$;

-- What finds titles: each of these words begins one of a title's. NULL, which finds none, for a text without words.
CREATE FUNCTION title_asked(words text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg(format('''%s'':*', word), ' & ')::tsquery FROM unnest(title_words(words)) AS word
$$;

ALTER TABLE videos ADD COLUMN title_words tsvector GENERATED ALWAYS AS (array_to_tsvector(title_words(title))) STORED;
CREATE INDEX videos_title_words ON videos USING gin (title_words);

-- What a text matches, letter case ignored, if it has these words in this order, with no word between them. Seven times as fast as
-- looking for them in `plain_words()` of the text.
CREATE FUNCTION phrase_pattern(phrase text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '(?:^|[^[:alnum:]])' || replace(btrim(plain_words(phrase)), ' ', '[^[:alnum:]]+') || '(?:$|[^[:alnum:]])'
$$;

-- Search finds the videos of some days by the index of the list, and phrases by their pattern. It counts the passages that filters
-- leave without reading them: deleted passages may count.
DO $migration$
DECLARE
    search text := pg_get_functiondef('search_passages'::regproc);
    change text[];
BEGIN
    FOREACH change SLICE 1 IN ARRAY ARRAY[
        ['v.published_at >= $9', 'coalesce(v.published_at, ''''-infinity'''') >= $9'],
        ['v.published_at < $10', 'coalesce(v.published_at, ''''-infinity'''') < $10 AND v.published_at IS NOT NULL'],
        [$sql$' AND %s(p.text ILIKE %L AND plain_words(p.text) LIKE %L)',
            CASE WHEN NOT wanted THEN 'NOT ' END, replace(plain_words(demanded), ' ', '%'), '%' || plain_words(demanded) || '%')$sql$,
         $sql$' AND p.text %s %L', CASE WHEN wanted THEN '~*' ELSE '!~*' END, phrase_pattern(demanded))$sql$],
        ['compared, rows) INTO few', 'compared, replace(rows, '' AND p.text <> '''''''''', '''')) INTO few']
    ] LOOP
        ASSERT position(change[1] IN search) > 0, change[1];
        search := replace(search, change[1], change[2]);
    END LOOP;
    EXECUTE search;
END
$migration$;
