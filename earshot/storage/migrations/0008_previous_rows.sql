-- What stages had left before a backfill that keeps it (resources/previous_rows.py). Tables as those of the same names, without
-- their checks; a migration that changes one of those changes the one here with it.

CREATE SCHEMA previous;
CREATE TABLE previous.transcripts     (LIKE transcripts,     FOREIGN KEY (video_id) REFERENCES videos ON DELETE CASCADE);
CREATE TABLE previous.segments        (LIKE segments,        FOREIGN KEY (video_id) REFERENCES videos ON DELETE CASCADE);
CREATE TABLE previous.words           (LIKE words,           FOREIGN KEY (video_id) REFERENCES videos ON DELETE CASCADE);
CREATE TABLE previous.turns           (LIKE turns,           FOREIGN KEY (video_id) REFERENCES videos ON DELETE CASCADE);
CREATE TABLE previous.exclusive_turns (LIKE exclusive_turns, FOREIGN KEY (video_id) REFERENCES videos ON DELETE CASCADE);
CREATE TABLE previous.passages        (LIKE passages,        FOREIGN KEY (video_id) REFERENCES videos ON DELETE CASCADE);
CREATE INDEX ON previous.transcripts (video_id);
CREATE INDEX ON previous.segments (video_id);
CREATE INDEX ON previous.words (video_id);
CREATE INDEX ON previous.turns (video_id);
CREATE INDEX ON previous.exclusive_turns (video_id);
CREATE INDEX ON previous.passages (video_id);
