"""Hostile programs: each prints the word of `escape` where it got what it wanted. Standard library alone."""

import json
import sys
from dataclasses import dataclass

WORD = "ESC" + "APED"
ESCAPE = 'print("ESC" "APED")'  # a traceback that shows this line does not hold the word


@dataclass(frozen=True)
class Program:
    """``plain``: outside a sandbox it gets what it wants, and harms nothing (as root or not).

    ``unbounded``: bubblewrap has no limit for what it uses up, but for the time of a call.
    """

    name: str
    code: str
    plain: bool = False
    unbounded: bool = False


def _attempt(name: str, code: str, *, plain: bool = False) -> Program:
    """A program that prints the word where ``code`` ends without an exception."""
    return Program(name, f"{code}\n{ESCAPE}", plain)


_LIBC = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True)\n"
_CHECK = "\nassert result >= 0, os.strerror(ctypes.get_errno())"
# The kernel survives these: they are run one after the other in one sandbox.
CONTAINED = [
    Program("huge output at once", "print('x' * 10**7)"),
    Program("huge repr", "'x' * 10**7"),
    Program("repr that raises", "class R:\n    def __repr__(self): raise SystemExit\nR()"),
    Program("exit", "import sys\nsys.exit(3)"),
    Program("escapes of a terminal", "print('\\x1b]0;title\\x07\\x1b[2J')"),
    Program("deep recursion", "def f(): return f()\nf()"),
    _attempt("fork", "import os\nif os.fork() == 0: os._exit(0)", plain=True),
    _attempt("fork bomb", "import os\nfor _ in range(10000): os.fork()"),
    _attempt("vfork by ctypes", f"{_LIBC}result = libc.syscall(58){_CHECK}"),
    _attempt("clone by ctypes", f"{_LIBC}result = libc.syscall(56, 17, 0, 0, 0, 0){_CHECK}"),
    _attempt("clone3 by ctypes", f"{_LIBC}a = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)\nresult = libc.syscall(435, a, 88){_CHECK}"),
    _attempt("shell", "import os\nassert os.system('true') == 0", plain=True),
    _attempt("subprocess", "import subprocess\nsubprocess.run(['/bin/true'], check=True)", plain=True),
    _attempt("posix_spawn", "import os\nos.posix_spawn('/bin/true', ['true'], {})", plain=True),
    _attempt("execve", "import os\nos.execv('/usr/bin/true', ['true'])"),
    _attempt("multiprocessing", "import multiprocessing as m\np = m.get_context('fork').Process(target=print)\np.start()\np.join()"),
    _attempt("shell escape of IPython", "assert get_ipython().system('true') is None and get_ipython().user_ns['_exit_code'] == 0"),
    _attempt("thread bomb", "import threading, time\nfor _ in range(5000): threading.Thread(target=time.sleep, args=(2,), daemon=True).start()"),
    _attempt("kill of the parent", "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"),
    _attempt("signal to process 1", "import os\nos.kill(1, 0)"),
    _attempt("signal to every process", "import os\nos.kill(-1, 9)"),
    _attempt("signal to the own group", "import os\nos.killpg(0, 9)"),
    _attempt("tgkill of process 1", f"{_LIBC}result = libc.syscall(234, 1, 1, 9){_CHECK}"),
    _attempt("queued signal", f"{_LIBC}b = ctypes.create_string_buffer(128)\nresult = libc.syscall(129, 1, 9, b){_CHECK}"),
    _attempt("ptrace", f"{_LIBC}result = libc.ptrace(16, 1, 0, 0){_CHECK}"),
    _attempt("memory of another process", f"{_LIBC}result = libc.syscall(310, 1, None, 0, None, 0, 0){_CHECK}"),
    _attempt("pidfd", "import os\nos.pidfd_open(os.getpid())", plain=True),
    _attempt("limits of another process", "import resource\nresource.prlimit(1, resource.RLIMIT_CPU)"),
    _attempt("raised limit", "import resource\nn = resource.getrlimit(resource.RLIMIT_AS)[1]\nresource.setrlimit(resource.RLIMIT_AS, (2 * n, 2 * n))"),
    _attempt("raised limit of CPU time", "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (-1, -1))"),
    _attempt("/etc/shadow", "open('/etc/shadow').read()"),
    _attempt("/etc/passwd", "open('/etc/passwd').read()", plain=True),
    _attempt("home", "import os\nassert os.listdir(os.path.expanduser('~root')) or os.listdir('/home')"),
    _attempt("environment of this process", "import os\nassert set(os.environ) & {'LEMMATA_SECRET', 'SSH_AUTH_SOCK', 'OPENAI_API_KEY'}"),
    _attempt("environment by /proc", "open('/proc/self/environ').read()", plain=True),
    _attempt("environment of the parent", "import os\nopen(f'/proc/{os.getppid()}/environ').read()"),
    _attempt("root of process 1", "import os\nos.listdir('/proc/1/root')"),
    _attempt("memory by /proc", "open('/proc/self/mem', 'rb')", plain=True),
    _attempt("listing of processes", "import os\nassert [n for n in os.listdir('/proc') if n.isdigit()]", plain=True),
    _attempt("mount of /proc", f"{_LIBC}os.makedirs('/tmp/p', exist_ok=True)\nresult = libc.mount(b'proc', b'/tmp/p', b'proc', 0, None){_CHECK}"),
    _attempt("mount of a tmpfs", f"{_LIBC}result = libc.mount(b'x', b'/usr', b'tmpfs', 0, None){_CHECK}"),
    _attempt("remount for writing", f"{_LIBC}result = libc.mount(b'x', b'/usr', None, 32 | 4096, None){_CHECK}"),
    _attempt("new user namespace", f"{_LIBC}result = libc.unshare(0x10000000){_CHECK}"),
    _attempt("chroot", "import os\nos.chroot('/tmp')"),
    _attempt("pivot_root", f"{_LIBC}result = libc.syscall(155, b'.', b'.'){_CHECK}"),
    _attempt("another user", "import os\nos.setuid(0)"),
    _attempt("file by handle", f"{_LIBC}b = ctypes.create_string_buffer(64)\nresult = libc.syscall(304, -100, b, 0){_CHECK}"),
    _attempt("device node", "import os, stat\nos.mknod('/tmp/sda', 0o600 | stat.S_IFBLK, os.makedev(8, 0))"),
    _attempt("disks", "import os\nassert [n for n in os.listdir('/dev') if n.startswith(('sd', 'vd', 'nvme', 'mem', 'kmsg'))]"),
    _attempt("/sys", "import os\nos.listdir('/sys/kernel')", plain=True),
    _attempt("written file at the root", "open('/escaped', 'w')"),
    _attempt("written file in /usr", "open('/usr/escaped', 'w')"),
    _attempt("written file in the environment", "import os, sympy\nopen(os.path.join(os.path.dirname(sympy.__file__), 'escaped'), 'w')"),
    _attempt("written file in the worker's code", "import sys\nopen('/opt/lemmata/tools/inside/worker.py', 'a')"),
    _attempt("symbolic link to the outside", "import os\nos.symlink('/etc/shadow', '/tmp/link')\nopen('/tmp/link').read()"),
    _attempt("path out of the folder", "open('/tmp/../../../../../../etc/shadow').read()"),
    _attempt("hard link", "import os\nos.link('/usr/bin/env', '/tmp/env')"),
    _attempt("filled disk", "with open('/tmp/big', 'wb') as f:\n    for _ in range(1000): f.write(bytes(2**20))"),
    _attempt("filled disk by many files", "for n in range(200):\n    with open(f'/tmp/part{n}', 'wb') as f: f.write(bytes(2**20))"),
    Program("all inodes", "import os\nos.makedirs('/tmp/many', exist_ok=True)\nfor n in range(100000): os.mkdir(f'/tmp/many/{n}')\nprint('ESC' 'APED')", unbounded=True),
    _attempt("removed leftovers, then a large sparse file", "import os, shutil\n[os.remove(f'/tmp/{n}') for n in os.listdir('/tmp') if n.startswith(('part', 'big'))]\nshutil.rmtree('/tmp/many', True)\nos.truncate(open('/tmp/sparse', 'w').fileno(), 2**40)"),
    _attempt("memory", "x = bytearray(4 * 2**30)"),
    _attempt("memory in many pieces", "x = []\nwhile True: x.append(bytes(2**20))"),
    _attempt("power that does not fit", "x = 1\nfor _ in range(60): x = (x + 1) << (2**33)"),
    _attempt("anonymous file in memory", "import os\nos.memfd_create('x')", plain=True),
    _attempt("System V shared memory", f"{_LIBC}result = libc.shmget(1, 4096, 0o1600){_CHECK}", plain=True),
    _attempt("open files", "import os\nx = [os.dup(0) for _ in range(100000)]"),
    _attempt("TCP", "import socket\nsocket.socket()", plain=True),
    _attempt("UDP", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))", plain=True),
    _attempt("IPv6", "import socket\nsocket.socket(socket.AF_INET6, socket.SOCK_STREAM)"),
    _attempt("netlink", "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)", plain=True),
    _attempt("raw socket", "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
    _attempt("web", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9', timeout=2)"),
    _attempt("names", "import socket\nsocket.getaddrinfo('example.org', 80)"),
    _attempt("abstract socket of the host", "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('\\0lemmata-test-socket')"),
    _attempt("standard input", "input('password: ')"),
    _attempt("standard input by its number", "import os\nassert os.read(0, 10)"),
    _attempt("eBPF", f"{_LIBC}result = libc.syscall(321, 0, 0, 0){_CHECK}"),
    _attempt("io_uring", f"{_LIBC}b = ctypes.create_string_buffer(256)\nresult = libc.syscall(425, 4, b){_CHECK}"),
    _attempt("keys of the kernel", f"{_LIBC}result = libc.syscall(250, 0, -3, 1){_CHECK}"),
    _attempt("performance counters", f"{_LIBC}b = ctypes.create_string_buffer(128)\nresult = libc.syscall(298, b, 0, -1, -1, 0){_CHECK}"),
    _attempt("personality", f"{_LIBC}result = libc.personality(0x0040000){_CHECK}"),
    _attempt("clock", "import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)"),
    _attempt("host name", "import socket\nsocket.sethostname('escaped')"),
    _attempt("system log", f"{_LIBC}result = libc.klogctl(3, ctypes.create_string_buffer(64), 64){_CHECK}"),
]  # fmt: skip
# These end their sandbox: each has one of its own.
ENDING = [
    Program("endless loop", "while True: pass"),
    Program("endless loop in C", "sum(iter(int, 1))"),
    Program("endless power", "10 ** 10 ** 10"),
    Program("signals ignored", "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass"),
    Program("exceptions swallowed", "while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
    Program("endless output", "while True: print('x' * 1000)"),
    Program("endless output past the kernel", "import os, sys\nwhile True:\n    os.write(1, b'x' * 10000)\n    print('x' * 10000)"),
    Program("sleep", "import time\ntime.sleep(10**6)"),
    Program("crash", "import ctypes\nctypes.string_at(0)"),
    Program("kernel ended", "import os\nos._exit(0)"),
    Program("stopped threads", "import os, threading\nfor _ in range(20): threading.Thread(target=lambda: sum(iter(int, 1))).start()\nsum(iter(int, 1))"),
    Program("sockets of the kernel closed", "import os\nfor n in range(3, 128):\n    try: os.close(n)\n    except OSError: pass\nwhile True: pass"),
]  # fmt: skip

if __name__ == "__main__":  # the control: the same programs in this process
    results = {}
    for program in CONTAINED:
        if program.plain and program.name in json.loads(sys.argv[1]):
            try:
                exec(program.code.replace(ESCAPE, ""), {})
                results[program.name] = True
            except Exception:
                results[program.name] = False
    sys.stdout.write("\n" + json.dumps(results))
