"""Benchmarks, with comparisons to the usual alternatives; each module's docstring states its command."""
