"""IPython kernel under limits: the process that runs a model's code."""

import os
import resource
import signal
from collections.abc import Mapping
from typing import NoReturn

from ipykernel import iostream, kernelapp

from tools.inside import libc, seccomp

MEBIBYTE = 2**20
DESCRIPTORS = 128
OPTIONS = ("HistoryManager.enabled=False", "InteractiveShell.colors=NoColor", "IPKernelApp.capture_fd_output=False",
           "InteractiveShell.xmode=Plain")  # fmt: skip


class ConfinedOutput(iostream.IOPubThread):
    """Output without the TCP socket that other processes of a kernel would print to."""

    def _setup_pipe_in(self) -> None:
        """Opens none."""
        self._pipe_flag = False


def become_kernel(limits: Mapping[str, int], connection_file: str) -> NoReturn:
    """Turns this process, a fresh child, into a kernel under its limits and the filter of system calls."""
    try:
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
        quiet = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(quiet, number)
        os.closerange(3, DESCRIPTORS)
        set_limits(limits)
        seccomp.install()
        setattr(kernelapp, iostream.IOPubThread.__name__, ConfinedOutput)  # the name by which the application makes it
        kernelapp.IPKernelApp.launch_instance(["-f", connection_file, *(f"--{option}" for option in OPTIONS)])
    finally:
        os._exit(1)


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
