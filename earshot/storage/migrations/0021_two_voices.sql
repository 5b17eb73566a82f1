-- People: a local speaker in whom two voices are heard gets no voice and no name.
-- False for speakers whose vectors are older than this column: they are judged when their video's voices are next computed.

ALTER TABLE local_speakers ADD COLUMN two_voices boolean NOT NULL DEFAULT false;
