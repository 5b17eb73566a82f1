"""What the five assets of a video share: locks, timing, checks, reuse."""
