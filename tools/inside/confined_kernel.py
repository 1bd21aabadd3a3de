"""IPython kernel under limits: the process that runs a model's code."""

import json
import os
import resource
import sys
from collections.abc import Mapping

from tools.inside import seccomp

MEBIBYTE = 2**20
DESCRIPTORS = 128
LIMITS = "LEMMATA_LIMITS"  # environment variable with the limits as a JSON object


def main() -> None:
    """Binds this process to its limits and to the filter of system calls, and becomes a kernel."""
    limits = json.loads(os.environ.pop(LIMITS))
    set_limits(limits)
    seccomp.install()
    from ipykernel import iostream, kernelapp  # noqa: PLC0415  only the sandbox's environment holds it

    class Output(iostream.IOPubThread):
        """Output without the TCP socket that other processes of a kernel would print to."""

        def _setup_pipe_in(self) -> None:
            """Opens none."""
            self._pipe_flag = False

    setattr(kernelapp, iostream.IOPubThread.__name__, Output)  # the name by which the application makes its own
    options = ["HistoryManager.enabled=False", "InteractiveShell.colors=NoColor", "IPKernelApp.capture_fd_output=False"]
    kernelapp.IPKernelApp.launch_instance([*sys.argv[1:], *(f"--{option}" for option in options)])


def set_limits(limits: Mapping[str, int]) -> None:
    """Limits of this process: CPU seconds, memory and file size in MiB, threads, open files."""
    cpu, memory, disk = limits["cpu_seconds"], limits["memory"] * MEBIBYTE, limits["disk"] * MEBIBYTE
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_FSIZE, disk, disk),
        (resource.RLIMIT_NPROC, limits["threads"], limits["threads"]),
        (resource.RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main()
