"""Programs that run inside the sandbox, or build it: standard library alone, but for the kernel's own packages."""
