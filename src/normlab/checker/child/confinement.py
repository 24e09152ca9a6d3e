# ruff: noqa: E501
# the tables of system calls are kept compact
"""Landlock and seccomp through ctypes.

The child may read Python, NumPy and its own folder, and do arithmetic.

Linux on x86-64 and aarch64. Every capability is dropped, so that root is nobody special in here.
Landlock takes away every file outside a list, and all writing. seccomp lets an allow-list of system
calls through and answers EPERM to the rest: no new process or thread, no network, no signal to
others, no ptrace. Of `open`, `fcntl`, `ioctl` and `madvise` it looks at the arguments too. What
Landlock learned only in later kernels (truncation in ABI 3, the network in 4, devices in 5, signals
and abstract sockets in 6) is thereby closed on the older ones as well. All of it lasts until the
process ends and cannot be undone from inside.

Not covered: whether a path exists, its size and its times (`stat`) can be asked for any file.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sysconfig
from typing import Any

# fmt: off
SYSCALLS = {
    "x86_64": {
        "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8, "mmap": 9,
        "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "ioctl": 16,
        "pread64": 17, "readv": 19, "writev": 20, "access": 21, "select": 23, "sched_yield": 24, "mremap": 25, "madvise": 28,
        "dup": 32, "dup2": 33, "nanosleep": 35, "getpid": 39, "exit": 60, "uname": 63, "fcntl": 72, "getcwd": 79, "readlink": 89,
        "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104,
        "geteuid": 107, "getegid": 108, "getppid": 110, "sigaltstack": 131, "gettid": 186, "time": 201, "futex": 202,
        "sched_getaffinity": 204, "getdents64": 217, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230,
        "exit_group": 231, "tgkill": 234, "openat": 257, "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "pselect6": 270,
        "ppoll": 271, "set_robust_list": 273, "getrandom": 318, "statx": 332, "rseq": 334, "faccessat2": 439,
    },
    "aarch64": {
        "getcwd": 17, "dup": 23, "dup3": 24, "fcntl": 25, "ioctl": 29, "faccessat": 48, "openat": 56, "close": 57,
        "getdents64": 61, "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67, "pselect6": 72,
        "ppoll": 73, "readlinkat": 78, "newfstatat": 79, "fstat": 80, "exit": 93, "exit_group": 94, "futex": 98,
        "set_robust_list": 99, "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115,
        "sched_getaffinity": 123, "sched_yield": 124, "tgkill": 131, "sigaltstack": 132, "rt_sigaction": 134,
        "rt_sigprocmask": 135, "rt_sigreturn": 139, "times": 153, "uname": 160, "getrlimit": 163, "getrusage": 165,
        "gettimeofday": 169, "getpid": 172, "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177,
        "gettid": 178, "sysinfo": 179, "brk": 214, "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233,
        "getrandom": 278, "statx": 291, "rseq": 293, "faccessat2": 439,
    },
}
# fmt: on
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
READ_FILE, READ_DIRECTORY = 1 << 2, 1 << 3
SET_NO_NEW_PRIVILEGES, SET_SECCOMP = 38, 22
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # REFUSE answers EPERM
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # the filter's instructions
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITIES_VERSION_3 = 0x20080522

# A condition on one argument of a system call: its index, how it is compared, and the values.
# "one of": allowed where it equals a value; "no bit of": where none of the bits is set; "below":
# where smaller.
WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o20000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_ASYNC
CONDITIONS: dict[str, tuple[int, str, tuple[int, ...]]] = {
    "open": (1, "no bit of", (WRITING,)),
    "openat": (2, "no bit of", (WRITING,)),
    # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC: no owner, no signal, no lease, no lock
    "fcntl": (1, "one of", (0, 1, 2, 3, 1030)),
    # TCGETS, TCGETS2, FIONCLEX, FIOCLEX: is it a terminal, and is it inherited; no attribute of a
    # file
    "ioctl": (1, "one of", (0x5401, 0x802C542A, 0x5450, 0x5451)),
    "madvise": (2, "below", (100,)),  # 100 and 101 take pages out of the machine
}


class ConfinementError(Exception):
    """The kernel does not offer what is asked for."""


def apply(order: dict[str, Any], more: list[str]) -> list[str]:
    """Confine this process for good.

    `order["read"]` are the folders it may read besides Python and NumPy.

    `order["highest_abi"]` asks for no more of Landlock than an older kernel has, to see what holds
    there.

    Returns what holds now. Raises ConfinementError where Landlock or seccomp is missing.
    """
    machine = platform.machine()
    if os.name != "posix" or machine not in SYSCALLS or platform.system() != "Linux":
        raise ConfinementError(f"no sandbox for {platform.system()} on {machine}")
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    if library.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise ConfinementError("new privileges cannot be given up")
    folders = [*python_folders(), *more, *order["read"]]
    _drop_capabilities(library, machine)
    for path in folders:
        if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
            raise ConfinementError(
                f"without root's capabilities {path} cannot be read; grade as its owner"
            )
    version = _landlock(library, folders, order.get("highest_abi", 99))
    _seccomp(library, machine)
    closed = (
        "" if version >= 6 else f", with what Landlock leaves open below ABI 6 ({version} here)"
    )
    return [
        "no capabilities",
        f"landlock ABI {version}",
        f"seccomp allow-list ({machine}), arguments of open, fcntl, ioctl and madvise too{closed}",
    ]


def _drop_capabilities(library: ctypes.CDLL, machine: str) -> None:
    header = struct.pack("<Ii", CAPABILITIES_VERSION_3, 0)
    if library.syscall(CAPSET[machine], header, bytes(24)) != 0:
        raise ConfinementError("the capabilities cannot be given up")


def python_folders() -> list[str]:
    """What an ordinary import needs.

    The standard library without site-packages, NumPy, and two devices.
    """
    import numpy

    own = os.path.dirname(numpy.__file__)
    library = sysconfig.get_paths()["stdlib"]
    names = [name for name in os.listdir(library) if name not in ("site-packages", "dist-packages")]
    found = [os.path.join(library, name) for name in names]
    found += [own, own + ".libs", "/dev/null", "/dev/urandom"]
    return [path for path in found if os.path.exists(path)]


def _landlock(library: ctypes.CDLL, readable: list[str], highest: int) -> int:
    version = min(highest, int(library.syscall(LANDLOCK_CREATE, None, 0, 1)))
    if version < 1:
        raise ConfinementError("this kernel has no Landlock")
    files = (
        (1 << 13) - 1
        | (1 << 13 if version >= 2 else 0)
        | (1 << 14 if version >= 3 else 0)
        | (1 << 15 if version >= 5 else 0)
    )
    network = 0b11 if version >= 4 else 0
    scoped = 0b11 if version >= 6 else 0
    attributes = struct.pack("<QQQ", files, network, scoped)[
        : 24 if version >= 6 else 16 if version >= 4 else 8
    ]
    ruleset = int(library.syscall(LANDLOCK_CREATE, attributes, len(attributes), 0))
    if ruleset < 0:
        raise ConfinementError("Landlock refused its rules")
    for path in readable:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = READ_FILE | READ_DIRECTORY if os.path.isdir(path) else READ_FILE
        rule = struct.pack("<Qi", allowed, handle)
        if library.syscall(LANDLOCK_ADD, ruleset, 1, rule, 0) != 0:
            raise ConfinementError(f"Landlock refused {path}")
        os.close(handle)
    if library.syscall(LANDLOCK_RESTRICT, ruleset, 0) != 0:
        raise ConfinementError("Landlock could not be entered")
    os.close(ruleset)
    return version


def _seccomp(library: ctypes.CDLL, machine: str) -> None:
    """The filter, as a little program for the kernel: load a word, compare, jump, return."""
    numbers = dict(SYSCALLS[machine])
    conditions = {
        **CONDITIONS,
        "tgkill": (0, "one of", (os.getpid(),)),
    }  # as abort() sends it, to itself
    program = [
        _step(LOAD, 0, 0, 4),  # the architecture
        _step(EQUAL, 1, 0, AUDIT[machine]),
        _step(RETURN, 0, 0, KILL),
        _step(LOAD, 0, 0, 0),  # the system call's number
        _step(AT_LEAST, 0, 1, 0x40000000),  # x32's numbers begin here
        _step(RETURN, 0, 0, KILL),
    ]
    for name, number in numbers.items():
        if name not in conditions:
            program += [_step(EQUAL, 0, 1, number), _step(RETURN, 0, 0, ALLOW)]
    for name in conditions.keys() & numbers.keys():
        check = _condition(*conditions[name])
        program += [_step(EQUAL, 0, len(check), numbers[name]), *check]
    program += [_step(RETURN, 0, 0, REFUSE)]
    code = ctypes.create_string_buffer(b"".join(program), 8 * len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    whole = Program(len(program), ctypes.addressof(code))
    if library.prctl(SET_SECCOMP, 2, ctypes.byref(whole), 0, 0) != 0:
        raise ConfinementError("this kernel has no seccomp filters")


def _condition(index: int, how: str, values: tuple[int, ...]) -> list[bytes]:
    """Steps that allow or refuse by an argument.

    The kernel reads 32 bits of each of these, and so does this.
    """
    steps = [_step(LOAD, 0, 0, 16 + 8 * index)]
    for value in values:
        if how == "one of":
            steps += [_step(EQUAL, 0, 1, value), _step(RETURN, 0, 0, ALLOW)]
        else:  # these two jump over the permission where the condition does not hold
            steps += [
                _step(ANY_BIT if how == "no bit of" else AT_LEAST, 1, 0, value),
                _step(RETURN, 0, 0, ALLOW),
            ]
    return [*steps, _step(RETURN, 0, 0, REFUSE)]


def _step(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
