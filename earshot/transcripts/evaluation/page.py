"""The page of an evaluation: one HTML document with its style inside, which loads nothing and runs no script."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from earshot.common.text import percent, pluralize
from earshot.common.times import format_exact, link_at
from earshot.transcripts.evaluation.scores import Evaluation

TEMPLATE = files("earshot.transcripts.evaluation") / "page.html"


def render(evaluation: Evaluation) -> str:
    """The evaluation as HTML; whatever a title, a reference or a transcript says is escaped."""
    templates = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    templates.filters |= {"percent": percent, "exact": format_exact, "at": _link, "plural": pluralize}
    return templates.from_string(TEMPLATE.read_text(encoding="utf-8")).render(evaluation=evaluation)


def _link(url: str, at_s: float) -> str:
    """A link that opens the recording at this second, if a browser can; scripts of a feed's URL never run."""
    return link_at(url, at_s) if url.startswith(("http://", "https://", "/")) else ""
