"""The one exception that reaches a person as a sentence instead of a traceback."""


class BadInput(ValueError):
    """Something a person gave us cannot be used. The message says what, where, and what to do about it."""
