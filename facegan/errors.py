"""The one exception that reaches a person as a sentence instead of a traceback."""


class BadInput(ValueError):
    """Something a person gave us cannot be used. The message says what, where, and what to do about it."""

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: object) -> str:
    """Text as one line that every terminal, page and file takes: in names, control characters and bytes that are not
    UTF-8 become escapes such as \\n and \\udcff."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def brief(cause: object) -> str:
    """What an exception or a value says, in at most 100 characters of one line: damaged files hold anything."""
    text = str(cause) if not isinstance(cause, BaseException) else str(cause) or type(cause).__name__
    line = next(iter(text.splitlines()), "")
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= 100 else f"{line[:97]}..."
