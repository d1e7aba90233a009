"""Text of others for a terminal: a provider's words may hold escape sequences, and a report may come from anywhere."""


def printable(text: str) -> str:
    """Give the text with every control character but the line feed replaced."""
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)
