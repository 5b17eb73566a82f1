"""The audio of one video: downloaded, decoded, played."""
