"""Sandbox of the interpreter: the command that starts a worker by bubblewrap or by Linux namespaces.

| kind | what contains the code |
|---|---|
| namespaces | user, mount, process, network and IPC namespaces (`tools.inside.namespaces`); also for root |
| bubblewrap | `bwrap`, where it is installed and the caller is not root; it bounds no number of files |
| none | nothing but the limits and the filter of system calls: for code that you trust |

Each shows the code the environment's folders, read-only, and a small temporary folder: no home, no /proc, no network.
In each the kernel's process is under limits and a filter of system calls (`tools.inside.seccomp`).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from core.errors import LemmataError
from tools.config import InterpreterConfig, SandboxKind
from tools.inside import LIMITS, seccomp
from tools.inside.namespaces import DEVICES, USER

PACKAGES = ("ipykernel", "jupyter_client", "mpmath", "networkx", "numpy", "sympy")
INSTALL = "pip install 'lemmata[tools]'"
CODE = "/opt/lemmata"  # of the worker, in the sandbox
SYSTEM = ("/usr", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives")
MERGED = ("/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")  # links into /usr, or folders of their own
_SECRET = ("/", "/root", "/home", "/etc", "/tmp", "/var", "/proc", "/sys", "/dev", "/run", "/opt")
_ASK = (
    "import sys, json, os, importlib.util as u; print(json.dumps([[sys.prefix, sys.base_prefix, "
    "os.path.dirname(os.path.realpath(sys.executable))], [n for n in sys.argv[1:] if u.find_spec(n) is None]]))"
)
_START = "import sys; sys.path.insert(0, {place!r}); from tools.inside.{module} import main; main()"


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python environment: its interpreter, and the folders that it consists of."""

    python: str
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SandboxLaunch:
    """The command line and the environment variables of a worker."""

    kind: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


@cache
def environment_of(python: str) -> Environment:
    """The environment of an interpreter.

    Raises:
        LemmataError: it does not start, lacks a package of the kernel, or lies in a folder that holds secrets.
    """
    try:
        done = subprocess.run([python, "-I", "-c", _ASK, *PACKAGES], capture_output=True, text=True, check=True)
        found, missing = json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise LemmataError(f"tools: {python} does not start: {error}. Set interpreter.python to a Python.") from error
    if missing:
        raise LemmataError(
            f"tools: the environment of {python} lacks {', '.join(missing)}. Install them there ({INSTALL}), or set "
            "interpreter.python to the Python of an environment that has them."
        )
    folders = tuple(dict.fromkeys(str(Path(folder)) for folder in found))
    home = str(Path.home())
    for folder in folders:
        if folder in _SECRET or folder == home:
            raise LemmataError(
                f"tools: the environment of {python} is the folder {folder}, which holds more than an environment. "
                "Set interpreter.python to the Python of a virtual environment."
            )
    return Environment(python, folders)


def launch_of(config: InterpreterConfig) -> SandboxLaunch:
    """The launch of a worker by the sandbox that the settings name.

    Raises:
        LemmataError: that sandbox cannot be had here; the message says why, and what would help.
    """
    if not seccomp.supported() or sys.platform != "linux":
        raise LemmataError(
            f"tools: no sandbox for {sys.platform} on {os.uname().machine}: the interpreter runs on Linux, on x86_64 "
            "and aarch64. Leave tools empty."
        )
    environment = environment_of(config.python or sys.executable)
    if config.sandbox != "auto":
        return _checked(config.sandbox, environment, config)
    faults = []
    for kind in ("namespaces", "bubblewrap"):
        try:
            return _checked(kind, environment, config)
        except LemmataError as error:
            faults.append(str(error))
    raise LemmataError(
        f"tools: code that a model writes does not run without a sandbox, and none works here: {'; '.join(faults)}. "
        "Install bubblewrap or allow user namespaces (sysctl user.max_user_namespaces; in Docker "
        "--security-opt seccomp=unconfined). interpreter.sandbox=none runs the code with limits alone."
    )


def _checked(kind: SandboxKind, environment: Environment, config: InterpreterConfig) -> SandboxLaunch:
    """The launch by one kind of sandbox, after a trial of it."""
    if kind == "none":
        place = str(Path(__file__).resolve().parent.parent)
        command = [environment.python, "-I", "-c", _START.format(place=place, module="worker")]
        return SandboxLaunch(kind, tuple(command), _variables(config))
    fault = _fault(kind, environment, config.disk)
    if fault:
        raise LemmataError(f"{kind}: {fault}")
    command = [environment.python, "-I", "-c", _START.format(place=CODE, module="worker")]
    return SandboxLaunch(kind, _contained(kind, environment, command, config), _variables(config))


@cache
def _fault(kind: SandboxKind, environment: Environment, disk: int) -> str:
    """The reason why a kind of sandbox does not start a program here; empty where it does."""
    if kind == "bubblewrap" and os.getuid() == 0:
        return "not for root, whose processes the kernel does not limit in it"
    if kind == "bubblewrap" and shutil.which("bwrap") is None:
        return "bwrap is not installed"
    command = wrapped(kind, environment, [environment.python, "-I", "-c", "print('started')"], disk, {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env={})
    return "" if done.stdout.strip() == "started" else " ".join(done.stderr.split())[-300:] or "it does not start"


def _contained(
    kind: SandboxKind, environment: Environment, command: Sequence[str], config: InterpreterConfig
) -> tuple[str, ...]:
    return tuple(wrapped(kind, environment, command, config.disk, _variables(config)))


def wrapped(
    kind: SandboxKind, environment: Environment, command: Sequence[str], disk: int, variables: Mapping[str, str]
) -> list[str]:
    """The command line that runs ``command`` in a sandbox with ``disk`` MiB and these environment ``variables``."""
    code = str(Path(__file__).resolve().parent)
    folders = [*_system(), *((folder, folder) for folder in environment.folders if not folder.startswith("/usr/"))]
    folders = [(source, target) for source, target in dict.fromkeys(folders) if Path(source).exists()]
    folders.sort(key=lambda pair: pair[1].count("/"))
    folders.append((code, f"{CODE}/tools"))
    links = [(path, str(Path(path).readlink())) for path in MERGED if Path(path).is_symlink()]
    if kind == "bubblewrap":
        return _bubblewrap(folders, links, command, disk, variables)
    specification = {
        "folders": folders, "links": links, "command": list(command), "disk": disk, "environment": dict(variables),
    }  # fmt: skip
    place = str(Path(__file__).resolve().parent.parent)
    start = _START.format(place=place, module="namespaces")
    return [sys.executable, "-I", "-S", "-c", start, json.dumps(specification)]


def _system() -> list[tuple[str, str]]:
    return [(path, path) for path in (*SYSTEM, *(path for path in MERGED if not Path(path).is_symlink()))]


def _bubblewrap(
    folders: Sequence[tuple[str, str]],
    links: Sequence[tuple[str, str]],
    command: Sequence[str],
    disk: int,
    variables: Mapping[str, str],
) -> list[str]:
    options = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    options += ["--uid", str(USER), "--gid", str(USER), "--hostname", "sandbox"]
    options += ["--size", str(disk * 2**20), "--tmpfs", "/tmp"]  # first: an environment may lie in /tmp outside
    for source, target in folders:
        options += ["--ro-bind", source, target]
    for link, target in links:
        options += ["--symlink", target, link]
    for device in DEVICES:
        options += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    options += ["--chdir", "/tmp", "--remount-ro", "/"]
    for name, value in variables.items():
        options += ["--setenv", name, value]
    return ["bwrap", *options, "--", *command]


def _variables(config: InterpreterConfig) -> dict[str, str]:
    """Environment variables of the worker: none of the caller's."""
    limits = {key: value for key, value in asdict(config).items() if key not in ("python", "sandbox", "kernels")}
    one = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        "HOME": "/tmp", "TMPDIR": "/tmp", "USER": "nobody", "LOGNAME": "nobody",
        "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin",
        "MALLOC_ARENA_MAX": "2", "PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PLATFORM_DIRS": "1", LIMITS: json.dumps(limits), **dict.fromkeys(one, "1"),
    }  # fmt: skip
