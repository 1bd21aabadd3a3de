"""Batch evaluation: models x problems x attempts, final proofs graded by named graders, and reports with intervals."""
