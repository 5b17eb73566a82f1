"""The asset graph, the command line, and below them the pure part: what happens to words, turns, passages and timings."""
