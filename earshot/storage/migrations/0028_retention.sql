-- What a source keeps: videos and audio beyond it are removed.

ALTER TABLE audio ADD COLUMN deleted_at timestamptz;                               -- its file, by keep_audio_days; NULL: it is there
ALTER TABLE excluded_videos ADD COLUMN reason text NOT NULL DEFAULT 'by you';      -- or why its source did not keep it
