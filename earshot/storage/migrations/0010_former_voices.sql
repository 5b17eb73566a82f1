-- Numbers that speakers had as anonymous voices before they lost them: to a name, or to another voice. Whoever is anonymous
-- again, by undo or since a person was removed, has the old number.

CREATE TABLE former_voices (
    former_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    video_id      text NOT NULL REFERENCES videos ON DELETE CASCADE,
    local_speaker text NOT NULL,
    made_at       timestamptz NOT NULL,                      -- identities.made_at: after a new diarization the row says nothing
    voice_id      bigint NOT NULL REFERENCES voices,
    correction_id bigint REFERENCES corrections ON DELETE SET NULL   -- which took the number away; NULL: something else
);
CREATE INDEX former_voices_video ON former_voices (video_id);
CREATE INDEX former_voices_correction ON former_voices (correction_id);
