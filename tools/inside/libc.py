"""Calls of the C library that Python has no function for: namespaces, mounts, prctl."""

import ctypes
import os

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE = 16384, 1 << 18
MNT_DETACH = 2
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
_MOUNT_SETATTR, _PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_LAST_CAPABILITY = 40
_LIBC = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int = 0, pointer: object = 0) -> None:
    """``prctl(option, value, pointer)``. Raises OSError."""
    third = pointer if isinstance(pointer, ctypes._Pointer | ctypes.c_void_p) else ctypes.c_ulong(0)
    _checked("prctl", _LIBC.prctl(option, ctypes.c_ulong(value), third, ctypes.c_ulong(0), ctypes.c_ulong(0)))


def unshare(flags: int) -> None:
    """Moves this process into new namespaces. Raises OSError."""
    _checked("unshare", _LIBC.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """``mount(2)``. Raises OSError."""
    texts = [None if text is None else text.encode() for text in (source, target, kind, options)]
    _checked(f"mount {target}", _LIBC.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]))


def detach(target: str) -> None:
    """Unmounts a tree lazily. Raises OSError."""
    _checked(f"umount {target}", _LIBC.umount2(target.encode(), MNT_DETACH))


def pivot_root(new: str, old: str) -> None:
    """Makes ``new`` the root and moves the present one to ``old``. Raises OSError."""
    _checked("pivot_root", _LIBC.syscall(_PIVOT_ROOT[os.uname().machine], new.encode(), old.encode()))


def set_attributes(target: str, attributes: int) -> None:
    """Adds attributes to a mount and all mounts below it (Linux 5.12 or later). Raises OSError."""
    values = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    path = target.encode()
    result = _LIBC.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, ctypes.byref(values), ctypes.sizeof(values))
    _checked(f"mount_setattr {target}", result)


def drop_capabilities() -> None:
    """Empties the bounding set, so that no program that is started regains a capability. Raises OSError."""
    for capability in range(_LAST_CAPABILITY + 1):
        prctl(PR_CAPBSET_DROP, capability)


def _checked(name: str, result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
