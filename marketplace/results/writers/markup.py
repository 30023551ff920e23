"""Text and attributes of XML files."""

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

# What XML 1.0 can hold in no form; found in texts that people pasted.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
REPLACEMENT = "\ufffd"


def xml_text(value: Any) -> str:
    """The value between tags; characters that XML cannot hold become U+FFFD."""
    return escape(NOT_XML.sub(REPLACEMENT, str(value)))


def element(tag: str, value: Any) -> str:
    """`<tag>value</tag>`."""
    return f"<{tag}>{xml_text(value)}</{tag}>"


def attributes(**values: Any) -> str:
    """` name="value"` for each; those that are None are left out."""
    return "".join(
        f" {name}={quoteattr(NOT_XML.sub(REPLACEMENT, str(value)))}"
        for name, value in values.items()
        if value is not None
    )
