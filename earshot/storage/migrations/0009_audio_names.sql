-- Audio is named relative to EARSHOT_MEDIA, so that a library can be moved. What lies elsewhere keeps its path or URL. The setting
-- is given by resources/database.py; what a stage left (`stage_outputs.content`) does not hold these names, and stays as it is.

UPDATE audio SET uri = substr(uri, length(current_setting('earshot.sources.media')) + 2)
WHERE starts_with(uri, current_setting('earshot.sources.media') || '/');
UPDATE stage_outputs SET details = details || jsonb_build_object('uri', audio.uri)
FROM audio WHERE (stage_outputs.video_id, asset) = (audio.video_id, 'audio') AND details ? 'uri';
