-- Everything Earshot keeps. Rows of the five stages hang on a video and go with it; timings do not: they outlive any purge.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE videos (
    video_id      text PRIMARY KEY,          -- the partition key
    url           text NOT NULL,             -- http(s) URL, or the absolute path of a local file
    source        text NOT NULL,             -- what the user named: a channel, a feed, a folder, a file
    title         text NOT NULL,
    channel       text,
    published_at  timestamptz,               -- NULL where the source does not say; never invented
    duration_s    double precision,
    state         text NOT NULL DEFAULT 'new' CHECK (state IN (
                      'new', 'ready', 'live_or_upcoming', 'members_only', 'private', 'removed', 'geo_blocked',
                      'age_restricted', 'no_audio', 'failed')),
    attempts      integer NOT NULL DEFAULT 0,   -- failed ones since it was last ready
    last_error    text,
    registered_at timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audio (
    video_id       text PRIMARY KEY REFERENCES videos ON DELETE CASCADE,
    uri            text NOT NULL,             -- 16 kHz mono FLAC in the media store
    samples_sha256 text NOT NULL,             -- of the 16-bit samples, little-endian
    samples        bigint NOT NULL,
    sample_rate    integer NOT NULL,
    duration_s     double precision NOT NULL,
    downloader     text NOT NULL              -- yt-dlp and its version, or 'file'
);

CREATE TABLE transcripts (
    video_id             text PRIMARY KEY REFERENCES videos ON DELETE CASCADE,
    language             text,                -- NULL where nothing was said
    language_probability double precision NOT NULL,
    model                text NOT NULL,
    model_revision       text NOT NULL
);

CREATE TABLE segments (
    video_id          text NOT NULL REFERENCES videos ON DELETE CASCADE,
    segment_index     integer NOT NULL,
    start_s           double precision NOT NULL,
    end_s             double precision NOT NULL,
    text              text NOT NULL,
    avg_logprob       double precision NOT NULL,
    compression_ratio double precision NOT NULL,
    no_speech_prob    double precision NOT NULL,
    PRIMARY KEY (video_id, segment_index)
);

CREATE TABLE words (
    video_id      text NOT NULL REFERENCES videos ON DELETE CASCADE,
    word_index    integer NOT NULL,
    segment_index integer NOT NULL,
    start_s       double precision NOT NULL,
    end_s         double precision NOT NULL,
    text          text NOT NULL,              -- with whisper's leading space: joined, words give the text back
    probability   double precision NOT NULL,
    PRIMARY KEY (video_id, word_index)
);

CREATE TABLE turns (
    video_id      text NOT NULL REFERENCES videos ON DELETE CASCADE,
    turn_index    integer NOT NULL,
    start_s       double precision NOT NULL,
    end_s         double precision NOT NULL,
    local_speaker text NOT NULL,              -- within this video only
    overlap       boolean NOT NULL,           -- somebody else speaks during it
    PRIMARY KEY (video_id, turn_index)
);

CREATE TABLE exclusive_turns (                -- one speaker at a time: what words are given to
    video_id      text NOT NULL REFERENCES videos ON DELETE CASCADE,
    turn_index    integer NOT NULL,
    start_s       double precision NOT NULL,
    end_s         double precision NOT NULL,
    local_speaker text NOT NULL,
    PRIMARY KEY (video_id, turn_index)
);

CREATE TABLE voice_embeddings (               -- one per turn
    video_id       text NOT NULL REFERENCES videos ON DELETE CASCADE,
    turn_index     integer NOT NULL,
    audio_sha256   text NOT NULL,
    first_sample   bigint NOT NULL,
    last_sample    bigint NOT NULL,           -- one past the end
    model          text NOT NULL,
    model_revision text NOT NULL,
    embedding      vector NOT NULL,
    PRIMARY KEY (video_id, turn_index)
);
CREATE INDEX voice_embeddings_cache ON voice_embeddings (audio_sha256, model, model_revision);

CREATE TABLE local_speakers (
    video_id       text NOT NULL REFERENCES videos ON DELETE CASCADE,
    local_speaker  text NOT NULL,
    speech_s       double precision NOT NULL,
    turns          integer NOT NULL,
    model          text NOT NULL,
    model_revision text NOT NULL,
    centroid       vector NOT NULL,
    PRIMARY KEY (video_id, local_speaker)
);

CREATE TABLE passages (
    video_id       text NOT NULL REFERENCES videos ON DELETE CASCADE,
    passage_index  integer NOT NULL,
    start_s        double precision NOT NULL,
    end_s          double precision NOT NULL CHECK (end_s > start_s),
    local_speaker  text,                      -- NULL where the diarization heard nobody
    first_word     integer NOT NULL,
    last_word      integer NOT NULL,          -- inclusive
    text           text NOT NULL,
    model          text NOT NULL,
    model_revision text NOT NULL,
    embedding      vector NOT NULL,
    search_text    tsvector GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED,
    PRIMARY KEY (video_id, passage_index)
);
CREATE INDEX passages_search_text ON passages USING gin (search_text);

CREATE TABLE asset_timings (
    timing_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    video_id       text NOT NULL,
    asset          text NOT NULL,
    run_id         text NOT NULL,
    code_version   text NOT NULL,
    git_commit     text,
    audio_s        double precision NOT NULL,
    wall_s         double precision NOT NULL,
    compute_s      double precision NOT NULL,
    load_s         double precision NOT NULL,
    io_s           double precision NOT NULL,
    rtf            double precision NOT NULL,
    x_realtime     double precision NOT NULL,
    items          double precision NOT NULL,
    items_per_s    double precision NOT NULL,
    device         text NOT NULL,
    device_name    text NOT NULL,
    model          text NOT NULL,
    model_revision text NOT NULL,
    compute_type   text NOT NULL,
    batch_size     double precision NOT NULL,
    gpu_util_mean  double precision,          -- NULL where no GPU was sampled: not measured is not zero
    vram_peak_mb   double precision,
    cpu_s          double precision NOT NULL,
    cache_hits     double precision NOT NULL,
    cache_misses   double precision NOT NULL
);
CREATE INDEX asset_timings_latest ON asset_timings (video_id, asset, timing_id DESC);
