"""Tasks of the trainer: the roles on the lab's theorems and on tables. Imports no torch."""
