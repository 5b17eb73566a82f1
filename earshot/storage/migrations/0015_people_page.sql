-- What the page of people shows at once, however large the library: how much each person and voice speaks, and the vectors by
-- which a voice is compared with the others and with people; who made a correction; and changes of people that can be undone.

CREATE TABLE speaker_totals (                    -- kept by the triggers below, whoever writes `identities`
    kind     text NOT NULL CHECK (kind IN ('person', 'voice', 'unknown')),
    id       bigint NOT NULL,                    -- person_id, voice_id; 0: all unknown speakers together
    videos   integer NOT NULL DEFAULT 0,
    speakers integer NOT NULL DEFAULT 0,
    speech_s double precision NOT NULL DEFAULT 0,
    centroid vector,                             -- of a voice: the mean of its speakers; NULL: none of them has a vector
    PRIMARY KEY (kind, id)
);
CREATE INDEX speaker_totals_all ON speaker_totals ((-speech_s), kind, id);
CREATE INDEX speaker_totals_kind ON speaker_totals (kind, (-speech_s), id);
CREATE INDEX identities_unknown ON identities (video_id) WHERE person_id IS NULL AND voice_id IS NULL;

CREATE FUNCTION recount_speakers(people_ids bigint[], voice_ids bigint[], of_unknown boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM speaker_totals                  -- always in this order, so that two transactions never wait for each other
    WHERE (kind = 'person' AND id = ANY(people_ids)) OR (kind = 'voice' AND id = ANY(voice_ids)) OR (kind = 'unknown' AND of_unknown)
    ORDER BY kind, id FOR UPDATE;
    DELETE FROM speaker_totals
    WHERE (kind = 'voice' AND id = ANY(voice_ids)) OR (kind = 'unknown' AND of_unknown);

    -- One after another by the index, however many there are: statistics may be old.
    INSERT INTO speaker_totals (kind, id, videos, speakers, speech_s)
    SELECT 'person', person_id, counted.*
    FROM people, LATERAL (
        SELECT count(DISTINCT i.video_id), count(*), coalesce(sum(l.speech_s), 0)
        FROM identities i LEFT JOIN local_speakers l USING (video_id, local_speaker) WHERE i.person_id = people.person_id) counted
    WHERE person_id = ANY(people_ids)
    UNION ALL
    SELECT 'unknown', 0, count(DISTINCT video_id), count(*), coalesce(sum(l.speech_s), 0)
    FROM identities i LEFT JOIN local_speakers l USING (video_id, local_speaker)
    WHERE of_unknown AND i.person_id IS NULL AND i.voice_id IS NULL HAVING count(*) > 0
    ON CONFLICT (kind, id) DO UPDATE
    SET videos = excluded.videos, speakers = excluded.speakers, speech_s = excluded.speech_s;

    INSERT INTO speaker_totals (kind, id, videos, speakers, speech_s, centroid)
    SELECT 'voice', voice, counted.*
    FROM unnest(voice_ids) AS voice, LATERAL (
        SELECT count(DISTINCT video_id), count(*) AS speakers, coalesce(sum(speech_s), 0), avg(centroid) FILTER (WHERE dims = most)
        FROM (
            SELECT i.video_id, l.speech_s, l.centroid, vector_dims(l.centroid) AS dims, max(vector_dims(l.centroid)) OVER () AS most
            FROM identities i LEFT JOIN local_speakers l ON (l.video_id, l.local_speaker, l.model, l.model_revision, l.preparation)
                = (i.video_id, i.local_speaker, i.model, i.model_revision, i.preparation)
            WHERE i.voice_id = voice
        ) members) counted
    WHERE speakers > 0
    ON CONFLICT (kind, id) DO UPDATE SET videos = excluded.videos, speakers = excluded.speakers, speech_s = excluded.speech_s,
        centroid = excluded.centroid;
END
$$;

CREATE FUNCTION recount_changed_speakers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM recount_speakers(
        ARRAY(SELECT DISTINCT person_id FROM changed WHERE person_id IS NOT NULL),
        ARRAY(SELECT DISTINCT voice_id FROM changed WHERE voice_id IS NOT NULL),
        EXISTS (SELECT FROM changed WHERE person_id IS NULL AND voice_id IS NULL));
    RETURN NULL;
END
$$;
CREATE FUNCTION recount_updated_speakers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM recount_speakers(
        ARRAY(SELECT person_id FROM before WHERE person_id IS NOT NULL UNION SELECT person_id FROM after WHERE person_id IS NOT NULL),
        ARRAY(SELECT voice_id FROM before WHERE voice_id IS NOT NULL UNION SELECT voice_id FROM after WHERE voice_id IS NOT NULL),
        EXISTS (SELECT FROM before WHERE person_id IS NULL AND voice_id IS NULL)
            OR EXISTS (SELECT FROM after WHERE person_id IS NULL AND voice_id IS NULL));
    RETURN NULL;
END
$$;
CREATE TRIGGER recount_inserted AFTER INSERT ON identities REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION recount_changed_speakers();
CREATE TRIGGER recount_deleted AFTER DELETE ON identities REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION recount_changed_speakers();
CREATE TRIGGER recount_updated AFTER UPDATE ON identities REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION recount_updated_speakers();

CREATE FUNCTION count_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO speaker_totals (kind, id) VALUES ('person', NEW.person_id) ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM speaker_totals WHERE kind = 'person' AND id = OLD.person_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_person AFTER INSERT OR DELETE ON people FOR EACH ROW EXECUTE FUNCTION count_person();

SELECT recount_speakers(ARRAY(SELECT person_id FROM people), ARRAY(SELECT DISTINCT voice_id FROM identities WHERE voice_id IS NOT NULL), true);

CREATE TABLE person_profiles (                   -- what asset `people` compared speakers with last
    person_id      bigint PRIMARY KEY REFERENCES people ON DELETE CASCADE,
    model          text NOT NULL,
    model_revision text NOT NULL,
    preparation    text NOT NULL,
    embedding      vector NOT NULL
);

ALTER TABLE corrections ADD COLUMN made_by text NOT NULL DEFAULT '';   -- '': before this was kept

CREATE TABLE people_changes (                    -- goes with the person, so that forgetting leaves no name behind
    change_id bigint PRIMARY KEY DEFAULT nextval(pg_get_serial_sequence('corrections', 'correction_id')),  -- no correction has it
    kind      text NOT NULL CHECK (kind IN ('rename', 'merge')),
    person_id bigint NOT NULL REFERENCES people ON DELETE CASCADE,         -- who was renamed, or took over
    made_at   timestamptz NOT NULL DEFAULT now(),
    made_by   text NOT NULL DEFAULT '',
    details   jsonb NOT NULL                     -- what undoing it needs: earshot/speakers/tables/people_changes.py
);
CREATE INDEX people_changes_person ON people_changes (person_id);
CREATE INDEX corrections_person ON corrections (person_id) WHERE person_id IS NOT NULL;
