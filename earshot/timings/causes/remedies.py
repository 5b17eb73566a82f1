"""Remedies: what to do about each cause of a failed check. docs/guides/operation/slow-stages.md has the same table."""

from collections.abc import Mapping

REMEDIES: Mapping[str, str] = {
    "device": "Run `earshot doctor`: the model did not run on the requested device.",
    "cold_load": "Find out why the process loaded its model again: several settings of models in one process?",
    "store_wait": "Look at the media store: the disk or the server of EARSHOT_MEDIA.",
    "database_wait": "Look at the database: its disk, its load, and statements that hold locks.",
    "network_wait": "Look at the network, and at whether the site limits downloads.",
    "io_wait": "Look at the network, the disk and the database.",
    "batch_size": "Look at the memory that ran out, or at a change in the code that calls the model.",
    "cache_misses": "Nothing is slower: the video has more work per second of audio.",
    "more_items": "Nothing is slower: the video has more work per second of audio.",
    "gpu_clock": "Look at the heat and the power limits of the GPU.",
    "gpu_idle": "Look at the CPU work that feeds the GPU.",
    "machine_busy": "Look at other processes, and at other virtual machines beside this one.",
    "fewer_threads": "Look at what limits the threads: OMP_NUM_THREADS, the container.",
    "starved": "Look at what the process waits for: a debugger, swapping, a suspended machine.",
    "baseline_followed": "Look at the machine, its disks and its network, or accept its speed: earshot timings --accept STAGE.",
    "words": "Listen to it: music, noise, another language, or a microphone that was off.",
    "loops": "Listen to it: where whisper lost the speech, it repeated itself.",
    "language": "Set `language` of the source, or correct it.",
    "certainty": "Listen to it: noise, a distant microphone, or another language.",
    "speakers": "Compare the turns with the recording, and correct them: earshot people correct VIDEO@TIME --is NAME.",
    "unknown": "No measurement explains it. Compare the stage's timings: earshot timings --video VIDEO.",
}


def remedy_of(cause: str) -> str:
    """What to do about the cause; that of `unknown` for any other."""
    return REMEDIES.get(cause, REMEDIES["unknown"])
