"""The machinery that the five assets of a video share: timing, checks, outputs, reuse."""
