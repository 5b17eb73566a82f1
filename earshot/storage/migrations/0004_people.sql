-- Who is speaking: people and recordings of them, what was corrected, and who the speakers of each video are.
-- Every vector and every score belongs to a voice space (model, model_revision, preparation); see resources/voice_space.py.

ALTER TABLE voice_embeddings
    ADD COLUMN preparation text NOT NULL DEFAULT '',      -- '': made before this was kept, so never found in the cache
    ADD COLUMN condition text NOT NULL DEFAULT 'clear'    -- what the turn is good for
        CHECK (condition IN ('clear', 'overlapped', 'too_short', 'forgotten')),
    ALTER COLUMN embedding DROP NOT NULL,
    ADD CONSTRAINT voice_embeddings_forgotten CHECK ((embedding IS NULL) = (condition = 'forgotten'));
ALTER TABLE local_speakers
    ADD COLUMN preparation text NOT NULL DEFAULT '',
    ADD COLUMN clear_s double precision NOT NULL DEFAULT 0,  -- seconds of its clear turns; 0: the centroid is of others
    ADD COLUMN made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ALTER COLUMN centroid DROP NOT NULL;                  -- NULL: no turn of this speaker has a vector

CREATE TABLE people (
    person_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,                      -- in Unicode's form NFC
    notes      text NOT NULL DEFAULT '',
    listed     boolean NOT NULL,                          -- in people.yaml
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE enrolments (                                 -- a stretch of a recording in which this person speaks, alone
    enrolment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id    bigint NOT NULL REFERENCES people ON DELETE CASCADE,
    kind         text NOT NULL CHECK (kind IN ('video', 'file')),
    recording    text NOT NULL,                           -- video_id, or absolute path; no reference: a video may go
    start_s      double precision NOT NULL DEFAULT 0,
    end_s        double precision,                        -- NULL: to the recording's end
    listed       boolean NOT NULL,                        -- in people.yaml
    UNIQUE NULLS NOT DISTINCT (person_id, kind, recording, start_s, end_s)
);

CREATE TABLE enrolment_judgements (                       -- what an enrolment is worth in one voice space
    enrolment_id   bigint NOT NULL REFERENCES enrolments ON DELETE CASCADE,
    model          text NOT NULL,
    model_revision text NOT NULL,
    preparation    text NOT NULL,
    verdict        text NOT NULL CHECK (verdict IN ('good', 'fair', 'refused')),  -- refused ones are not used
    reasons        text NOT NULL,                         -- "" where it is good
    clean_s        double precision NOT NULL,             -- of one voice, without overlap
    other_voice_s  double precision NOT NULL,
    spread         double precision,                      -- lowest cosine of a sample to their mean; NULL: one sample
    PRIMARY KEY (enrolment_id, model, model_revision, preparation)
);

CREATE TABLE enrolment_samples (                          -- vectors of it, also of refused ones
    enrolment_id   bigint NOT NULL REFERENCES enrolments ON DELETE CASCADE,
    sample_index   integer NOT NULL,
    model          text NOT NULL,
    model_revision text NOT NULL,
    preparation    text NOT NULL,
    audio_sha256   text NOT NULL,
    first_sample   bigint NOT NULL,
    last_sample    bigint NOT NULL,                       -- one past the end
    embedding      vector NOT NULL,
    PRIMARY KEY (enrolment_id, model, model_revision, preparation, sample_index)
);

CREATE TABLE corrections (
    correction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('is', 'never', 'same', 'different')),
    person_id     bigint REFERENCES people ON DELETE CASCADE,
    made_at       timestamptz NOT NULL DEFAULT now(),
    CHECK ((person_id IS NOT NULL) = (kind IN ('is', 'never')))
);

CREATE TABLE corrected_spans (                            -- the time it speaks of, which outlives every diarization
    correction_id bigint NOT NULL REFERENCES corrections ON DELETE CASCADE,
    side          integer NOT NULL CHECK (side IN (0, 1)), -- 1: the other voice of 'same' and 'different'
    video_id      text NOT NULL REFERENCES videos ON DELETE CASCADE,
    start_s       double precision NOT NULL,
    end_s         double precision NOT NULL CHECK (end_s > start_s),
    PRIMARY KEY (correction_id, side, video_id, start_s, end_s)
);
CREATE INDEX corrected_spans_video ON corrected_spans (video_id);

CREATE TABLE forgotten_spans (                            -- no vector is made of these again; says of nobody whose they were
    video_id text NOT NULL REFERENCES videos ON DELETE CASCADE,
    start_s  double precision NOT NULL,
    end_s    double precision NOT NULL CHECK (end_s > start_s),
    PRIMARY KEY (video_id, start_s, end_s)
);

CREATE TABLE voices (                                     -- numbers of anonymous voices: given once, never again
    voice_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);

CREATE TABLE identities (                                 -- who each local speaker is; all of it is made by asset `people`
    video_id       text NOT NULL REFERENCES videos ON DELETE CASCADE,
    local_speaker  text NOT NULL,
    person_id      bigint REFERENCES people ON DELETE SET NULL,
    voice_id       bigint REFERENCES voices,
    decided_by     text NOT NULL CHECK (decided_by IN ('correction', 'profile', 'voice', 'nothing')),
    reason         text NOT NULL,                         -- why Unknown; "" otherwise. Never holds a name
    score          double precision,                      -- cosine: to the person's profile, or to the rest of the voice
    margin         double precision,                      -- score minus that of the second; NULL: there is no second
    model          text NOT NULL,
    model_revision text NOT NULL,
    preparation    text NOT NULL,
    component      bigint,                                -- voices are only ever looked for inside one; see clustering.py
    made_at        timestamptz NOT NULL,                  -- local_speakers.made_at of the centroid it was decided from
    PRIMARY KEY (video_id, local_speaker),
    CHECK (person_id IS NULL OR voice_id IS NULL)
);
CREATE INDEX identities_person ON identities (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX identities_voice ON identities (voice_id) WHERE voice_id IS NOT NULL;

CREATE TABLE voice_thresholds (                           -- accepted from `earshot people calibrate`; the newest counts
    model          text NOT NULL,
    model_revision text NOT NULL,
    preparation    text NOT NULL,
    accepted_at    timestamptz NOT NULL DEFAULT now(),
    threshold      double precision NOT NULL,             -- cosine
    source         text NOT NULL,                         -- pairs, false-accept rate, EER
    PRIMARY KEY (model, model_revision, preparation, accepted_at)
);
