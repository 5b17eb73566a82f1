"""The asset graph: stages, assets, jobs, and operations on many videos. Built on the library in earshot/."""
