"""Filter of system calls for the kernel's process: no other process, no execution, no namespaces, only local sockets.

A filter of the classic BPF form (`man 2 seccomp`), for x86_64 and aarch64. Everything that is not listed is allowed:
files and the network are the namespaces' matter.
"""

import ctypes
import errno
import os
import struct

from tools.inside import libc

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # numbers from here on are of x86_64's second interface
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_CLONE_THREAD, _AF_UNIX = 0x10000, 1
# name: numbers on x86_64 and aarch64 (None: has no such call)
DENIED: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40),
    "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "reboot": (169, 142), "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "syslog": (103, 116), "personality": (135, 92), "lookup_dcookie": (212, 18),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "mbind": (237, 235), "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238), "move_pages": (279, 239),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181),
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), 435
_SOCKET, _SOCKETPAIR = (41, 198), (53, 199)
_TGKILL, _PRLIMIT = (234, 131), (302, 261)


def supported() -> bool:
    """True on a machine whose numbers of system calls are known here."""
    return os.uname().machine in _AUDIT_ARCH


def install() -> None:
    """Binds this process, and every thread that it starts, to the filter for good. Raises OSError."""
    program = b"".join(_program(os.uname().machine, os.getpid()))
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    libc.prctl(libc.PR_SET_SECCOMP, 2, ctypes.cast(header, ctypes.c_void_p))


def _program(machine: str, pid: int) -> list[bytes]:
    place = list(_AUDIT_ARCH).index(machine)
    refuse = _op(_RETURN, _ERRNO | errno.EPERM)
    program = [_op(_LOAD, 4), _op(_EQUAL, _AUDIT_ARCH[machine], 1, 0), _op(_RETURN, _KILL), _op(_LOAD, 0)]
    if machine == "x86_64":
        program += [_op(_AT_LEAST, _X32, 0, 1), refuse]
    for numbers in DENIED.values():
        if (number := numbers[place]) is not None:
            program += [_op(_EQUAL, number, 0, 1), refuse]
    # Its flags lie in memory, where no filter reads; the C library then falls back to clone.
    program += [_op(_EQUAL, _CLONE3, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    program += _only_if(_CLONE[place], _op(_ANY_BIT, _CLONE_THREAD, 1, 0))
    for call in (_SOCKET, _SOCKETPAIR):
        program += _only_if(call[place], _op(_EQUAL, _AF_UNIX, 1, 0))
    program += _only_if(_TGKILL[place], _op(_EQUAL, pid, 1, 0))
    program += _only_if(_PRLIMIT[place], _op(_EQUAL, 0, 1, 0))
    return [*program, _op(_RETURN, _ALLOW)]


def _only_if(number: int, test: bytes) -> list[bytes]:
    """Allows call ``number`` only where its first argument (the lower 32 bits) passes ``test``."""
    refuse, allow = _op(_RETURN, _ERRNO | errno.EPERM), _op(_RETURN, _ALLOW)
    return [_op(_EQUAL, number, 0, 4), _op(_LOAD, 16), test, refuse, allow]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
