"""Refinement: sequential self-refinement, pool search, selection, and the scheduler that overlaps problems."""
