"""Scripts that run in the environments of other engines (tests/rl/test_adapters.py)."""
