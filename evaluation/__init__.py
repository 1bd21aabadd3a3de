"""Batch evaluation: problems x attempts x rounds, grades by named graders, and reports with figures to defend."""
