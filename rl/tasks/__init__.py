"""The roles as tasks of the trainer. Imports no torch."""
