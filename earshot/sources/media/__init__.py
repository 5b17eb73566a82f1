"""The audio of one video: downloads, decodes and plays it."""
