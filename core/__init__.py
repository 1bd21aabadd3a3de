"""The shared language of all roles: records, rubric, prompts, problem sets and the run store. Imports no torch."""
