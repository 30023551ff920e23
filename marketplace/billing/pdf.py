"""An invoice as PDF: the same bytes for the same invoice, always."""

import tempfile
from functools import cache
from pathlib import Path
from typing import cast

import pymupdf_fonts
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TTFFont

from marketplace.billing.documents import Document, document_of
from marketplace.billing.models import Invoice

# FiraGO (SIL Open Font License): Latin, Greek, Cyrillic, Arabic, Hebrew, Thai, Georgian and Devanagari. What it does
# not have, as Chinese signs, shows as an empty box; the page, which has the reader's own fonts, shows them all.
FACES = {"": "figo", "B": "figbo"}
BOX = "\u25af"
MARGIN_MM, WIDTH_MM, LINE_MM = 22.0, 166.0, 5.6
INK, SOFT, RULE = (29, 27, 24), (90, 85, 76), (216, 211, 200)


def pdf_of(invoice: Invoice) -> bytes:
    """The document, A4."""
    document = document_of(invoice)
    pdf = _Sheet(document)
    # What else a reader would find of the time and the machine is left out: only what was issued counts.
    pdf.set_creation_date(invoice.issued_at)
    pdf.set_title(f"{document.title} {document.label}")
    pdf.set_author(document.seller[0])
    pdf.set_lang("en")
    pdf.add_page()
    pdf.letterhead()
    pdf.bill()
    pdf.below()
    return bytes(pdf.output())


@cache
def _fonts() -> tempfile.TemporaryDirectory[str]:
    """The library wants files; they are made once for each process and go with it."""
    folder = tempfile.TemporaryDirectory(prefix="touchstone-fonts-")
    for name in FACES.values():
        (Path(folder.name) / f"{name}.ttf").write_bytes(pymupdf_fonts.myfont(name))
    return folder


class _Sheet(FPDF):
    """The pages of one document."""

    def __init__(self, document: Document) -> None:
        super().__init__(format="A4")
        self._document = document
        for style, name in FACES.items():
            self.add_font("sans", style, str(Path(_fonts().name) / f"{name}.ttf"))
        # Arabic letters join, and lines of Arabic and Hebrew run to the left.
        self.set_text_shaping(True)
        self.set_margins(MARGIN_MM, 20, MARGIN_MM)
        self.c_margin = 0.0
        self.set_auto_page_break(True, margin=24)
        self.alias_nb_pages()

    def normalize_text(self, text: str) -> str:
        """What the font has no sign for is shown to be missing rather than left out."""
        known = cast(TTFFont, self.fonts["sans"]).cmap
        return super().normalize_text("".join(sign if sign.isspace() or ord(sign) in known else BOX for sign in text))

    def footer(self) -> None:
        self.set_y(-16)
        self._ink(8, SOFT)
        said = f"{self._document.seller[0]} · {self._document.title} {self._document.label}"
        self.cell(WIDTH_MM - 20, 4, _fitting(self, said, WIDTH_MM - 22))
        # How many pages there are is known at the end only: leave room for as many digits as this page's number has.
        width = self.get_string_width(f"{self.page_no()} / {self.page_no()}")
        self.set_x(MARGIN_MM + WIDTH_MM - width)
        self.cell(width, 4, f"{self.page_no()} / {{nb}}")

    def letterhead(self) -> None:
        """Who bills whom, for when."""
        document = self._document
        self._ink(20, style="B")
        self._line(f"{document.title} {document.label}", height=10)
        self.ln(6)
        top = self.get_y()
        self._party("From", document.seller, MARGIN_MM, top)
        after = self.get_y()
        self._party("To", document.buyer, MARGIN_MM + WIDTH_MM / 2, top)
        self.set_xy(MARGIN_MM, max(after, self.get_y()) + 6)
        for label, text in document.facts:
            self._ink(9.5, SOFT)
            self.cell(28, LINE_MM, label)
            self._ink(9.5)
            self.multi_cell(WIDTH_MM - 28, LINE_MM, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(8)

    def bill(self) -> None:
        """The lines and what they come to."""
        self._ink(9, SOFT)
        self.cell(WIDTH_MM - 45, LINE_MM, "What")
        self.cell(45, LINE_MM, f"Amount in {self._document.currency}", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._rule()
        for line in self._document.lines:
            if line.heading:
                self._together()
                self.ln(1.5)
                self._ink(9.5, style="B")
                self.multi_cell(WIDTH_MM - 45, LINE_MM, line.heading, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self._ink(9.5)
            self._pair(line.text, line.amount)
        self.ln(1.5)
        self._together()
        self._rule()
        self._ink(9.5)
        for label, amount in self._document.sums:
            self._pair(label, amount)
        self._ink(11, style="B")
        self.ln(1)
        label, amount = self._document.total
        self._pair(label, f"{amount} {self._document.currency}", height=7)
        self.ln(8)

    def below(self) -> None:
        """What is only for information."""
        document = self._document
        self._together(2 + len(document.information) + 2 * len(document.notes))
        self._ink(9.5, style="B")
        self._line(f"Your account, in {document.currency}")
        self._rule()
        self._ink(9.5)
        for label, amount in document.information:
            self._pair(label, amount)
        self.ln(6)
        self._ink(9.5, SOFT)
        for note in document.notes:
            self.multi_cell(WIDTH_MM, LINE_MM, note, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _party(self, heading: str, lines: list[str], x: float, y: float) -> None:
        width = WIDTH_MM / 2 - 6
        self.set_xy(x, y)
        self._ink(9, SOFT)
        self.cell(width, LINE_MM, heading, new_x=XPos.LEFT, new_y=YPos.NEXT)
        for place, text in enumerate(lines):
            self._ink(9.5, style="" if place else "B")
            self.multi_cell(width, LINE_MM, text, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)

    def _pair(self, label: str, amount: str, height: float = LINE_MM) -> None:
        self.cell(WIDTH_MM - 45, height, label)
        self.cell(45, height, amount, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _line(self, text: str, height: float = LINE_MM) -> None:
        self.cell(WIDTH_MM, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _rule(self) -> None:
        self.set_draw_color(*RULE)
        self.set_line_width(0.25)
        self.line(MARGIN_MM, self.get_y(), MARGIN_MM + WIDTH_MM, self.get_y())
        self.ln(1.5)

    def _ink(self, size: float, colour: tuple[int, int, int] = INK, style: str = "") -> None:
        self.set_font("sans", style, size)
        self.set_text_color(*colour)

    def _together(self, lines: int = 3) -> None:
        """Begin a new page unless so many lines still fit on this one."""
        if self.will_page_break(lines * LINE_MM):
            self.add_page()


def _fitting(pdf: FPDF, text: str, width: float) -> str:
    while pdf.get_string_width(text) > width:
        text = text[:-2].rstrip("… ") + "…"
    return text
