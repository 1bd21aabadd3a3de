"""Errors of models, checkpoints and inputs."""


class ModelError(ValueError):
    """A configuration, checkpoint or input that cannot be used. The message states the problem and its place."""
