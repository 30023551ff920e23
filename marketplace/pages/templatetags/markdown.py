"""`{% load markdown %}{{ text|markdown }}`"""

from django import template
from django.utils.safestring import SafeString

from marketplace.pages.markdown import html_of

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown of people who are not trusted, as HTML that may stand in a page."""
    return html_of(text)
