"""The error whose message is meant for the user."""


class LemmataError(Exception):
    """An error that the user can fix. The message says what happened, where, and how to fix it.

    The command line prints it as one plain message without a traceback; every other exception is a programming error.
    """
