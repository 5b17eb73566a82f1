-- Events that are posted to the user's programs, and the log of their deliveries. Alerts are in the same log.

CREATE TABLE webhook_endpoints (                 -- those of webhooks.yaml; address and secret stay in the file
    endpoint text PRIMARY KEY,
    events   text[] NOT NULL                     -- the types that are posted to it
);

CREATE TABLE webhook_events (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type        text NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    video_id    text,                            -- no foreign key: an alert may be about something that is no video
    person_id   bigint REFERENCES people ON DELETE CASCADE,   -- forgetting a person deletes what was posted about them
    facts       jsonb NOT NULL DEFAULT '{}',     -- what the type has besides video and person
    body        text                             -- as it is posted, with the names of then; NULL: not tried yet
);
CREATE INDEX webhook_events_video ON webhook_events (video_id);
CREATE INDEX webhook_events_person ON webhook_events (person_id);
CREATE INDEX webhook_events_age ON webhook_events (occurred_at);

CREATE TABLE webhook_deliveries (                -- one per event and endpoint
    delivery_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     bigint NOT NULL REFERENCES webhook_events ON DELETE CASCADE,
    endpoint     text NOT NULL,
    webhook_id   text NOT NULL UNIQUE DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', ''),   -- the same in every attempt
    queue        text NOT NULL,                  -- to an endpoint, one after another within a queue: those of a video, or alerts
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
    attempts     integer NOT NULL DEFAULT 0,     -- begun ones
    queued_at    timestamptz NOT NULL DEFAULT now(),   -- when it happened, or was replayed
    next_at      timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    status       integer,                        -- HTTP status of the last answer; NULL: there was none
    error        text                            -- why the last attempt failed
);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_queue ON webhook_deliveries (endpoint, queue, delivery_id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_state ON webhook_deliveries (state, delivery_id);

-- Keeps the event for the endpoints that want its type; if there is none, nothing is kept.
CREATE FUNCTION record_webhook_event(of_type text, of_video text, of_person bigint, with_facts jsonb)
RETURNS void LANGUAGE sql AS $$
    WITH wanting AS (
        SELECT endpoint FROM webhook_endpoints WHERE of_type = ANY(events)
    ), event AS (
        INSERT INTO webhook_events (type, video_id, person_id, facts)
        SELECT of_type, of_video, of_person, with_facts WHERE EXISTS (SELECT FROM wanting) RETURNING event_id
    )
    INSERT INTO webhook_deliveries (event_id, endpoint, queue) SELECT event_id, endpoint, of_video FROM event, wanting
$$;

-- Triggers, so that an event is kept exactly if what happened is, whichever process writes it.
CREATE FUNCTION record_video_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'ready' THEN
        PERFORM record_webhook_event('video.ready', NEW.video_id, NULL, '{}');
    ELSE
        PERFORM record_webhook_event('video.failed', NEW.video_id, NULL,
            jsonb_build_object('state', NEW.state, 'error', NEW.last_error, 'attempts', NEW.attempts));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER video_ready AFTER UPDATE ON videos FOR EACH ROW
    WHEN (OLD.state <> 'ready' AND NEW.state = 'ready') EXECUTE FUNCTION record_video_event();
CREATE TRIGGER video_failed AFTER UPDATE ON videos FOR EACH ROW     -- for good: no retry follows
    WHEN (NEW.state <> 'ready' AND NEW.retry_at IS NULL AND NEW.last_error IS NOT NULL AND NEW.attempts > 0
        AND (NEW.attempts, NEW.state) IS DISTINCT FROM (OLD.attempts, OLD.state))
    EXECUTE FUNCTION record_video_event();

CREATE FUNCTION record_flagged_video() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM videos WHERE video_id = NEW.video_id) THEN   -- enrolments and questions are checked, too
        PERFORM record_webhook_event('video.flagged', NEW.video_id, NULL, jsonb_build_object('stage', NEW.asset,
            'check', NEW.check_name, 'severity', NEW.severity, 'cause', NEW.cause, 'message', NEW.message));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER video_flagged AFTER INSERT ON check_failures FOR EACH ROW EXECUTE FUNCTION record_flagged_video();

ALTER TABLE check_failures DROP CONSTRAINT check_failures_alert_check,
    ADD CONSTRAINT check_failures_alert_check CHECK (alert IN ('sent', 'quiet', 'given_up'));
