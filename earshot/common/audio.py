"""What audio is inside Earshot: mono, at one sample rate, which every model here was trained on."""

SAMPLE_RATE = 16_000  # Hz

SampleSpan = tuple[int, int]  # first sample, and the one after the last
