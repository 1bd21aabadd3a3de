"""The one error that is meant for the person at the keyboard."""


class LemmataError(Exception):
    """Something the user can mend. The message says what is wrong, where, and how to mend it.

    The command line prints it as one plain message without a traceback; every other exception is a fault of ours.
    """
