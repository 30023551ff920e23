"""Which texts can be kept at all."""

VALUE_BYTES_MAX = 64 * 1024


def text_problem(text: str) -> str | None:
    """Why the database or an export could not hold the text, or None if they can."""
    if "\0" in text:
        return "must not contain the character NUL"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "must not contain half a surrogate pair"
    return None


def bytes_of(text: str) -> int:
    """Length in UTF-8 of a text without a problem."""
    return len(text) if text.isascii() else len(text.encode())
