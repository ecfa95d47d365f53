"""The one error of the dialects."""


class DialectError(ValueError):
    """A checkpoint of a known program that cannot be translated; the message says why and what to do."""
