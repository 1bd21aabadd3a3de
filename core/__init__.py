"""Shared basis of all packages: records, rubric, prompts, problem sets, run store, statistics. Imports no torch."""
