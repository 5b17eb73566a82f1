"""What the tools work with: a library, the way it answers questions, and the address of Earshot's page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from earshot.common.redaction import without_secrets
from earshot.library.library import Library
from earshot.library.reading.question import Question, SearchResult

Answer = Callable[[Question, bool], SearchResult]  # the question, and whether to search by words alone


@dataclass(frozen=True)
class Context:
    """The library during one call of a tool. `page` is the address of Earshot's page, None while it does not run."""

    library: Library
    answer: Answer
    page: str | None

    def page_at(self, video_id: str, start_s: float) -> str | None:
        """The address at which the page shows the video from this second on; None without a page."""
        if self.page is None:
            return None
        return f"{self.page}/videos/{quote(video_id, safe='')}?t={int(start_s)}"

    def source_name(self, address: str) -> str:
        """The source's name in sources.yaml, or its address without tokens and passwords."""
        return self._source_names.get(address) or without_secrets(address)

    @cached_property
    def _source_names(self) -> Mapping[str, str]:
        return self.library.source_names()
