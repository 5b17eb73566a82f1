"""/api/v1: the library's functions as JSON. The objects are those that `--json` prints on the command line."""
