-- Search compares by meaning only those passages with words of the question that have the most of them, and not all it found:
-- reading their vectors took longer than anything else. Where many have equally much, all these are compared.
DO $migration$
DECLARE
    search text := pg_get_functiondef('search_passages'::regproc);
    change text[];
BEGIN
    FOREACH change SLICE 1 IN ARRAY ARRAY[
        [$sql$'UNION (SELECT p.ctid FROM %1$s AND (%2$s) LIMIT %3$s)', rows || checks, has_word, at_most);$sql$,
         $sql$'UNION (SELECT ctid FROM (SELECT p.ctid, %4$s AS worth FROM %1$s AND (%2$s) LIMIT %3$s) w '
            'ORDER BY worth DESC FETCH FIRST 300 ROWS WITH TIES)', rows || checks, has_word, at_most, words_of);$sql$],
        [$sql$'UNION (SELECT p.ctid FROM %1$s AND (%3$s) LIMIT %4$s)', rows, searched.dimension, has_word, at_most);$sql$,
         $sql$'UNION (SELECT ctid FROM (SELECT p.ctid, %5$s AS worth FROM %1$s AND (%3$s) LIMIT %4$s) w '
            'ORDER BY worth DESC FETCH FIRST 300 ROWS WITH TIES)', rows, searched.dimension, has_word, at_most, words_of);$sql$]
    ] LOOP
        ASSERT position(change[1] IN search) > 0, change[1];
        search := replace(search, change[1], change[2]);
    END LOOP;
    EXECUTE search;
END
$migration$;
