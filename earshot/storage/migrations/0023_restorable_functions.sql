-- A dump is restored without a search path, in which the generated column `title_words` finds no function that its own one
-- calls by a bare name. A body that is parsed now does not depend on the path. Same results.
CREATE OR REPLACE FUNCTION title_words(title text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ARRAY(SELECT left(word, 100) FROM string_to_table(btrim(plain_words(regexp_replace(normalize(left(title, 10000), NFKC),
        '([\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF])', ' \1 ', 'g'))), ' ') AS word WHERE word <> '');
END;
