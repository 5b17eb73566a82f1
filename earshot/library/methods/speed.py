"""Methods of `Library` about timings: of each stage of each video, their reports, checks and baselines."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earshot.library.methods.opened import Opened

if TYPE_CHECKING:
    import pandas as pd

    from earshot.library.work.timings import StageSummary, StageTiming, TimedRun
    from earshot.timings.comparison import Comparison
    from earshot.timings.queries import OpenFailure


class Speed(Opened):
    """Reads timings, and accepts speeds."""

    def timings(self, video: str | None = None, days: float | None = None) -> "pd.DataFrame":
        """One row per run of a stage, oldest first: of one video (key), of the last `days` days; at most the newest 50,000.

        Columns: video_id, asset (the stage), recorded_at, run_id, code_version, git_commit, speed, and the keys of
        docs/reference/timings.md: `_s` are seconds, `rtf` compute seconds per second of audio, `x_realtime` times real time.
        """
        import pandas as pd

        from earshot.timings.queries import ROW_KEYS, read_timings

        return pd.DataFrame(read_timings(self.database, video, days), columns=list(ROW_KEYS))

    def timings_report(self, video: str | None = None, days: float | None = None) -> "pd.DataFrame":
        """One row per stage and a last row `total`, over the last run of each stage of each video; empty without timings.

        Columns: asset, videos, audio_s, wall_s, load_s, compute_s, rtf, x_realtime, items, items_per_s, device, share (of the
        work), trend (seconds per input, now / before), gpu_util_mean (percent), cache_rate (0 to 1). Missing values are NaN.
        """
        from earshot.library.work.timings import read_report

        return read_report(self.database, video, days).stages

    def stream_timings(self, video: str | None = None, days: float | None = None) -> "Iterator[dict[str, Any]]":
        """The rows of `timings()` one at a time and without a limit, as dictionaries. Its transaction stays open meanwhile."""
        from earshot.library.work.timings import stream_rows

        return stream_rows(self.database, video, days)

    def stage_report(self) -> "list[StageSummary]":
        """`timings_report()` as objects, with the latest timings of each stage as a series."""
        from earshot.library.work.timings import stage_report

        return stage_report(self.database)

    def timing_page(
        self, stage: str | None = None, video: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> "list[TimedRun]":
        """The newest timings, of one stage or one video (key); `before` is the number of the last one of the page before."""
        from earshot.library.work.timings import timing_page

        return timing_page(self.database, stage, video, before, limit)

    def stage_timings(self, video: str) -> "list[StageTiming]":
        """What each stage of a video (key) took when it last ran."""
        from earshot.library.work.timings import stage_timings

        return stage_timings(self.database, video)

    def failing_checks(self, video: str | None = None) -> "list[OpenFailure]":
        """The checks of stages that failed in the last seven days, newest first, of one video (key) or all."""
        from earshot.library.work.timings import failing_checks

        return failing_checks(self.database, video)

    def plot_timings(self, path: Path | str, video: str | None = None, days: float | None = None) -> None:
        """Write a plot of these timings to a .png, .svg or .pdf file."""
        from earshot.library.work.timings import check_plot, read_report

        check_plot(Path(path))
        read_report(self.database, video, days).plot(Path(path))

    def accept_speed(self, stage: str) -> int:
        """Accept the present speed of a stage as its new baseline; returns how many timings no longer count."""
        from earshot.library.work.timings import accept_speed

        return accept_speed(self.database, stage)

    def compare_timings(self, a: str, b: str, video: str | None = None, days: float | None = None) -> "list[Comparison]":
        """Compare version B with A for each stage. Both are commits (also `HEAD~1`) or code versions; others raise
        Misconfigured."""
        from earshot.library.work.timings import read_report

        return read_report(self.database, video, days).compare(a, b)
