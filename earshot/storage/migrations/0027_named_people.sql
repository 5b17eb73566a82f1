-- A person who is named in many videos at once is one event: it has their number and the newest of them.

CREATE OR REPLACE FUNCTION record_webhook_event(of_type text, of_video text, of_person bigint, with_facts jsonb)
RETURNS void LANGUAGE sql AS $$
    WITH wanting AS (
        SELECT endpoint FROM webhook_endpoints WHERE of_type = ANY(events)
    ), event AS (
        INSERT INTO webhook_events (type, video_id, person_id, facts)
        SELECT of_type, of_video, of_person, with_facts WHERE EXISTS (SELECT FROM wanting) RETURNING event_id
    )
    INSERT INTO webhook_deliveries (event_id, endpoint, queue)
    SELECT event_id, endpoint, coalesce(of_video, 'person ' || of_person) FROM event, wanting
$$;

UPDATE webhook_events SET video_id = NULL, body = NULL,
    facts = facts || jsonb_build_object('count', 1, 'newest', jsonb_build_array(video_id))
WHERE type = 'person.named';
