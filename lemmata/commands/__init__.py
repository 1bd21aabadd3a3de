"""One function per command: from its configuration to its exit code."""
