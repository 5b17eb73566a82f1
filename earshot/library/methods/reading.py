"""Methods of `Library` that search and read: passages, videos, transcripts, sound, exports, references. They change nothing."""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from earshot.library.methods.opened import Opened

if TYPE_CHECKING:
    from earshot.library.exporting.exports import ExportSummary
    from earshot.library.lookup import Names
    from earshot.library.reading.facets import Facets
    from earshot.library.reading.playing import Playback
    from earshot.library.reading.question import Question, SearchResult
    from earshot.library.reading.reader import ReadableTranscript
    from earshot.library.reading.sound import Sound
    from earshot.library.reading.transcript import Transcript
    from earshot.library.upkeep.news import News
    from earshot.library.videos import ListedPage, ListedVideo
    from earshot.transcripts.evaluation.scores import Evaluation
    from earshot.transcripts.publishing.chapters import Chapter
    from earshot.transcripts.search.query import Embed


class Reading(Opened):
    """Searches and reads."""

    def __init__(self, measured_as: str | None = None) -> None:
        """`measured_as`: measure some of the questions as those of this server (docs/reference/timings.md)."""
        self._measured_as = measured_as

    def search(
        self,
        question: str,
        *,
        limit: int = 5,
        page: int = 1,
        speaker: str | None = None,
        sources: "Names" = (),
        videos: "Names" = (),
        languages: "Names" = (),
        since: date | None = None,
        until: date | None = None,
        words_only: bool = False,
    ) -> "SearchResult":
        """Search by meaning and by words: returns page `page`, of `limit` passages each, of the 200 best.

        `"several words"` in double quotes must occur in this order; `-word` must not occur. `languages` are codes such as `en`;
        `since` and `until` are the first and last day (UTC) of publication. `words_only` searches by words alone and loads no
        model; otherwise the text model is loaded once, onto the device of the settings (raises GpuUnavailable).
        """
        from earshot.library.reading.question import Question

        asked = Question(question, limit, page, speaker, sources, videos, languages, since, until)
        return self.answer(asked, words_only)

    def answer(self, question: "Question", words_only: bool = False) -> "SearchResult":
        """`search()` with question and filters as one object."""
        from earshot.library.reading.search import answer, search_device

        device = search_device(words_only)  # raises its errors before a server is started
        return answer(self.database, question, device, self._embed)

    @cached_property
    def _embed(self) -> "Embed":
        """How questions are embedded; some of them are measured if this is a server."""
        if self._measured_as is None:
            from earshot.transcripts.search.query import embed_question

            return embed_question
        from earshot.library.reading.question_meter import QuestionMeter

        return QuestionMeter(self._measured_as).embed

    def search_facets(self, question: "Question", words_only: bool = False) -> "Facets":
        """Of the 200 best passages: how many each person, source, language and year has."""
        from earshot.library.reading.search import facets, search_device

        device = search_device(words_only)
        return facets(self.database, question, device)

    def video(self, name: str) -> "ListedVideo":
        """The video with this key or title. Raises Unknown if there is none."""
        from earshot.library.videos import find_video

        return find_video(self.database, name)

    def videos(self, state: str | None = None, limit: int | None = None) -> "list[ListedVideo]":
        """The videos, or those in one state (`ready`, `failed`, `queued`, ...): newest upload first, undated ones last.

        Returns all of them without a limit.
        """
        from earshot.library.videos import find_videos

        return find_videos(self.database, state).first(limit)

    def video_page(
        self,
        state: str | None = None,
        source: str | None = None,
        text: str = "",
        *,
        after: str | None = None,
        limit: int = 50,
    ) -> "ListedPage":
        """One page of `videos()`, also of one source, or with these words in the title or this key; `after` is `next` of the
        page before."""
        from earshot.library.videos import list_page

        return list_page(self.database, state, source, text, after, limit)

    def stream_videos(self, state: str | None = None) -> "Iterator[ListedVideo]":
        """Like `videos()`, one at a time, for a library that does not fit into memory. Its transaction stays open meanwhile."""
        from earshot.library.videos import find_videos

        return find_videos(self.database, state).stream()

    def new_videos(self, since: datetime | None = None, *, after: str | None = None, limit: int = 50) -> "News":
        """The videos that became searchable last, the latest first, with when they did; running them again changes nothing.

        `since`: only those after this time (UTC if it has no time zone); `after` is `next` of the page before.
        """
        from earshot.library.upkeep.news import read_news

        return read_news(self.database, since, after, limit)

    def transcript(self, video: str, speaker: str | None = None) -> "Transcript":
        """The transcript of this video, or what one person or voice says in it.

        Raises NotTranscribed if the video has no transcript, InconsistentVideo while it is being ingested again.
        """
        from earshot.library.reading.transcript import read_transcript

        return read_transcript(self.database, video, speaker)

    def readable_transcript(self, video: str) -> "ReadableTranscript":
        """The transcript by paragraphs of one speaker, with the time of every word: what a page shows.

        Raises NotTranscribed if the video has no transcript, InconsistentVideo while it is being ingested again.
        """
        from earshot.library.reading.reader import read

        return read(self.database, video)

    def sound(self, video: str) -> "Sound":
        """The stored audio of a video as bytes. Raises Unknown if it has none, EarshotError if the file is gone."""
        from earshot.library.reading.sound import find_sound

        return find_sound(self.database, video)

    def export(
        self,
        folder: Path | str,
        format: str = "txt",
        *,
        videos: "Names" = (),
        source: str | None = None,
        speaker: str | None = None,
    ) -> "ExportSummary":
        """Write one file per video into the folder: these videos, those of a source, or all. Creates the folder if necessary.

        As parquet, writes one file per table instead: videos, words, turns, passages, timings.

        `format` is srt, vtt, txt, md, docx, csv, json, podcast, rttm, seglst or parquet.
        `speaker`: only what this person or voice says. Replaces an earlier
        export of the same video; readers never see half a file.
        """
        from earshot.library.exporting.exports import Export

        export = Export(self.database, videos, source, speaker)
        export.to_folder(Path(folder), format)
        return export.summary

    def export_file(
        self,
        path: Path | str,
        format: str = "txt",
        *,
        videos: "Names" = (),
        source: str | None = None,
        speaker: str | None = None,
    ) -> "ExportSummary":
        """Like `export()`, into one file. Several videos as json become JSON Lines; as srt, vtt, md, docx or podcast they raise
        EarshotError."""
        from earshot.library.exporting.exports import Export

        export = Export(self.database, videos, source, speaker)
        export.to_file(Path(path), format)
        return export.summary

    def chapters(self, video: str) -> "list[Chapter]":
        """Where the video turns to another subject; none if it is short, or stays with one."""
        from earshot.library.exporting.feeds import read_chapters

        return read_chapters(self.database, video)

    def feed(self, source: str, base: str, *, after: str | None = None, limit: int = 100) -> str:
        """The ready videos of a source as a podcast with transcripts and chapters (RSS), as a server at `base` serves it.

        `after` is the cursor in the address of the next page. Raises SourceUnusable if no video has such a source.
        """
        from earshot.library.exporting.feeds import served_feed

        return served_feed(self.database, source, base, after, limit)

    def export_feed(self, source: str, folder: Path | str, base: str) -> int:
        """Write that feed with its transcripts and chapters into a folder, for a web server at `base`.

        Returns how many videos it has. Without an address of sound or video, an episode has no sound.
        """
        from earshot.library.exporting.feeds import write_feed

        return write_feed(self.database, source, Path(folder), base)

    def export_site(self, folder: Path | str, source: str | None = None) -> "ExportSummary":
        """Write the ready videos of a source, or all, as pages that a browser searches without a server.

        Replaces an earlier site in this folder. Raises EarshotError if the folder holds anything else.
        """
        from earshot.library.exporting.site import write_site

        return write_site(self.database, source, Path(folder))

    def evaluate(self, *references: Path | str, video: str | None = None, collar_s: float = 0.0) -> "Evaluation":
        """Compare transcripts with references: STM, RTTM, SRT, VTT, TXT and SegLST files, or folders of them.

        A reference belongs to the video whose key, title or file name is the reference's name; `video` names that of a single
        one. DER leaves out `collar_s` seconds on each side of a border. Raises EarshotError if a file cannot be read, or a
        reference has no video.
        """
        from earshot.library.reading.evaluation import evaluate

        return evaluate(self.database, [Path(each) for each in references], video, collar_s)

    def playback(self, what: str) -> "Playback":
        """The command that plays result `2` of the last `earshot search`, or a video from a time: `VIDEO@0:12:30`.

        Raises EarshotError if no player is installed, or the audio is not on this machine.
        """
        from earshot.library.reading.playing import find_playback

        return find_playback(self.database, what)
