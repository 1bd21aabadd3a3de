"""What can be wrong with a model that the user names."""


class ModelError(ValueError):
    """A configuration, checkpoint or input that cannot be used. The message says what is wrong, and where."""
