"""Sandbox by Linux namespaces: starts a program that sees some folders, read-only, and a small temporary one.

No network, no /proc, no other process, no capability; the user inside is none of the host, where the caller is root.
Called by `tools.sandbox` as a program: ``main`` reads its specification, a JSON object, from the first argument.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tools.inside import libc

USER = 1000  # inside
NOBODY = 65534  # outside, where the caller is root
DEVICES = ("null", "zero", "full", "random", "urandom")
_NEW = (
    libc.CLONE_NEWUSER | libc.CLONE_NEWNS | libc.CLONE_NEWPID | libc.CLONE_NEWNET | libc.CLONE_NEWIPC
    | libc.CLONE_NEWUTS | libc.CLONE_NEWCGROUP
)  # fmt: skip


def main() -> NoReturn:
    """Builds the sandbox, runs the command in it, and ends with its exit status. It dies with its caller."""
    specification = json.loads(sys.argv[1])
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    is_root = os.getuid() == 0
    _enter_namespaces(is_root=is_root)
    child = os.fork()
    if child == 0:
        try:
            _build_root(specification)
            _drop(is_root=is_root)
            os.execve(specification["command"][0], specification["command"], specification["environment"])  # noqa: S606  no shell is wanted
        except OSError as error:
            print(f"the sandbox cannot be built: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(126)
    for number in (0, 1):
        os.close(number)  # the child's alone, so that its end is seen
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _enter_namespaces(*, is_root: bool) -> None:
    """Moves this process into new namespaces. A helper that stays outside maps the users, as only it may."""
    user, group, pid = os.getuid(), os.getgid(), os.getpid()
    ready, done = os.pipe(), os.pipe()
    helper = os.fork()
    if helper == 0:
        os.read(ready[0], 1)
        users = f"0 0 1\n{USER} {NOBODY} 1" if is_root else f"{USER} {user} 1"
        groups = f"0 0 1\n{USER} {NOBODY} 1" if is_root else f"{USER} {group} 1"
        error = ""
        try:
            if not is_root:
                Path(f"/proc/{pid}/setgroups").write_text("deny")
            Path(f"/proc/{pid}/gid_map").write_text(groups)
            Path(f"/proc/{pid}/uid_map").write_text(users)
        except OSError as caught:
            error = str(caught)
        os.write(done[1], error.encode() or b"\n")
        os._exit(0)
    libc.unshare(_NEW)
    os.write(ready[1], b"\n")
    error = os.read(done[0], 1000).decode().strip()
    os.waitpid(helper, 0)
    for end in (*ready, *done):
        os.close(end)
    if error:
        raise OSError(f"the users cannot be mapped: {error}")


def _build_root(specification: dict[str, Any]) -> None:
    libc.mount("none", "/", None, libc.MS_REC | libc.MS_PRIVATE)
    libc.mount("tmpfs", "/tmp", "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, "size=4m,mode=755")
    Path("/tmp/new").mkdir()
    Path("/tmp/old").mkdir()
    libc.pivot_root("/tmp", "/tmp/old")
    os.chdir("/")
    libc.mount("/new", "/new", None, libc.MS_BIND)
    # First, for an environment may lie in /tmp outside.
    options = f"size={specification['disk']}m,nr_inodes=4096,mode=1777"
    Path("/new/tmp").mkdir()
    libc.mount("tmpfs", "/new/tmp", "tmpfs", libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC, options)
    for source, target in specification["folders"]:
        _bind(source, target)
    for link, target in specification["links"]:
        Path(f"/new{link}").parent.mkdir(parents=True, exist_ok=True)
        Path(f"/new{link}").symlink_to(target)
    _add_devices()
    libc.mount("none", "/new", None, libc.MS_REMOUNT | libc.MS_BIND | libc.MS_RDONLY | libc.MS_NOSUID | libc.MS_NODEV)
    os.chdir("/new")
    libc.pivot_root(".", ".")
    libc.detach(".")
    os.chdir("/tmp")


def _bind(source: str, target: str) -> None:
    place = Path(f"/new{target}")
    if Path(f"/old{source}").is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    libc.mount(f"/old{source}", str(place), None, libc.MS_BIND | libc.MS_REC)
    libc.set_attributes(str(place), libc.ATTR_RDONLY | libc.ATTR_NOSUID | libc.ATTR_NODEV)


def _add_devices() -> None:
    Path("/new/dev").mkdir()
    for name in DEVICES:
        Path(f"/new/dev/{name}").touch()
        libc.mount(f"/old/dev/{name}", f"/new/dev/{name}", None, libc.MS_BIND)


def _drop(*, is_root: bool) -> None:
    """Becomes a user without rights, in a session of its own."""
    os.setsid()
    libc.drop_capabilities()
    if is_root:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    _close_files()


def _close_files(kept: Sequence[int] = (0, 1, 2)) -> None:
    os.closerange(max(kept) + 1, 1024)
