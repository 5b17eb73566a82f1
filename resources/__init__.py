"""What the assets are given: device, models, media source and store, database.

Nothing here knows Dagster's asset graph, and nothing here is imported from `ingest_assets`.

Two settings of the process are made here because they must be in place before torch is first imported, whichever program
imports it (webserver, daemon, command line, test). How long OpenMP's threads spin before sleeping: with its default, two torch
threads on a machine whose other core is busy took 9.4 s for work that one thread does in 0.5 s; without any spinning each of a
network's many small steps waits for a thread to wake, and two threads are slower than one. Five hundred looks, some
microseconds, are between (docs/measurements/performance.md). And pyannote.audio reports usage to its makers unless told not to:
what a user transcribes is nobody's business.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "500")
os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
