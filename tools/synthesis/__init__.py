"""Synthesis of tasks: programs that make problems and check answers, run in the sandbox and kept by pass rate."""
