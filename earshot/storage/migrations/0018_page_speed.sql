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
