"""The asset graph: stages, assets, jobs, and operations on many videos. The library below it is in earshot/."""
