-- People: a local speaker in whom two voices are heard gets no voice and no name.
-- False for speakers whose vectors are older than this column: they are judged when their video's voices are next computed.

ALTER TABLE local_speakers ADD COLUMN two_voices boolean NOT NULL DEFAULT false;

-- The default threshold of this model is 0.68 from now on. A library that has speakers keeps the one by which they were told apart.
INSERT INTO voice_thresholds (model, model_revision, preparation, threshold, source)
SELECT DISTINCT model, model_revision, preparation, 0.65, 'the default until version 0.2.0'
FROM local_speakers l
WHERE model = 'campplus-zh-en' AND NOT EXISTS (
    SELECT FROM voice_thresholds t
    WHERE (t.model, t.model_revision, t.preparation) = (l.model, l.model_revision, l.preparation)
);
