"""Markdown of people who are not trusted, as HTML of ours (R30): CommonMark and tables, and nothing else that it names.

Markup of theirs is shown as text. Links lead to http, https and mail only, open beside the page, give nothing away and
lend no reputation. No attribute says how anything looks, for the site's policy lets no style in.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

# Headings of theirs stand below those of the page.
DOWN = 2
LEADS = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
SHOWS = re.compile(r"https://|data:image/(png|gif|jpeg|webp);base64,", re.IGNORECASE)
ALIGNED = re.compile(r"text-align:(left|center|right)")


class _Renderer(RendererHTML):
    """Elements as our pages want them."""

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        # What may be shown as a picture leads nowhere.
        if not LEADS.match(str(tokens[idx].attrGet("href"))):
            tokens[idx].attrs.pop("href")
        tokens[idx].attrSet("rel", "nofollow ugc noopener noreferrer")
        tokens[idx].attrSet("target", "_blank")
        return self.renderToken(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        picture = tokens[idx]
        if not SHOWS.match(str(picture.attrGet("src") or "")):
            return self.renderInlineAsText(picture.children, options, env)
        picture.attrSet("loading", "lazy")
        picture.attrSet("referrerpolicy", "no-referrer")
        return super().image(tokens, idx, options, env)

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<h{_level(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"</h{_level(tokens[idx])}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return '<div class="scrolls" tabindex="0"><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return self._cell(tokens, idx, options, env)

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return self._cell(tokens, idx, options, env)

    def _cell(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        style = ALIGNED.fullmatch(str(tokens[idx].attrs.pop("style", "")))
        if style:
            tokens[idx].attrSet("class", f"align-{style[1]}")
        return self.renderToken(tokens, idx, options, env)


def _level(heading: Token) -> int:
    return min(6, int(heading.tag[1:]) + DOWN)


def _may_be_named(url: str) -> bool:
    return bool(LEADS.match(url) or SHOWS.match(url))


def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False}, renderer_cls=_Renderer)
    reader.enable(["table", "strikethrough"])
    # Asked of the addresses of links and of pictures.
    reader.validateLink = _may_be_named  # type: ignore[method-assign]
    return reader


_READER = _reader()


@lru_cache(maxsize=500)
def html_of(text: str) -> SafeString:
    """The text as HTML that may stand in a page. Instructions are read again and again, so the last are kept."""
    return fresh_html_of(text)


def fresh_html_of(text: str) -> SafeString:
    """The same of a text that is seen once, as while it is written."""
    # Made by us; what was written is escaped.
    return mark_safe(_READER.render(text))  # noqa: S308  # nosec B308 B703
