"""DOCX: formats a recording as a document for word processors.

Title, date and link, then each passage as a paragraph that begins with its time, linked to that second, under the name of its
speaker. Headings are real ones, so that a table of contents can be made of them.
"""

import io

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt, RGBColor
from docx.styles.style import CharacterStyle
from docx.text.paragraph import Paragraph
from docx.text.run import Run

from earshot.common.text import in_xml
from earshot.common.times import browsable, format_hms
from earshot.transcripts.formats.speaker_passages import day_of, link_to, speaker_runs, title_of
from earshot.transcripts.recordings import Recording

_LINK = "Earshot link"
_PROPERTY = 255  # characters that a document's property may have


def as_docx(recording: Recording) -> bytes:
    video, document = recording.video, Document()
    _add_link_style(document)
    document.core_properties.title = _text(title_of(video))[:_PROPERTY]
    document.core_properties.author = ""
    document.add_heading(_text(title_of(video)), level=0)
    about = document.add_paragraph(f"{day_of(video)} ".lstrip())
    _add_link(about, _text(browsable(video.url)), browsable(video.url))
    for name, run in speaker_runs(recording):
        document.add_heading(_text(name), level=2)
        for passage in run:
            paragraph = document.add_paragraph()
            _add_link(paragraph, format_hms(passage.start_s), link_to(video, passage.start_s))
            paragraph.add_run(f" {_text(passage.text)}")
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def _text(text: str) -> str:
    return " ".join(in_xml(text).split())


def _add_link_style(document: WordDocument) -> None:
    style = document.styles.add_style(_LINK, WD_STYLE_TYPE.CHARACTER)
    assert isinstance(style, CharacterStyle)
    style.font.size, style.font.color.rgb = Pt(9), RGBColor(0x1A, 0x5F, 0xB4)


def _add_link(paragraph: Paragraph, text: str, address: str) -> None:
    """Add a run that opens the address; python-docx only reads links."""
    link = OxmlElement("w:hyperlink")
    link.set(qn("r:id"), paragraph.part.relate_to(_text(address), RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    run = OxmlElement("w:r")
    link.append(run)
    paragraph._p.append(link)
    Run(run, paragraph).text = text
    Run(run, paragraph).style = _LINK
