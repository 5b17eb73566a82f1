"""The audio format inside Earshot: mono, at the one sample rate that every model here was trained on."""

SAMPLE_RATE = 16_000  # Hz

SampleSpan = tuple[int, int]  # first sample, and the one after the last
