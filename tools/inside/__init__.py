"""Programs that run inside the sandbox, or build it: standard library alone, but for the kernel's own packages."""

LIMITS = "LEMMATA_LIMITS"  # environment variable with the limits as a JSON object
