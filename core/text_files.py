"""Text files as people have them: UTF-8 or UTF-16, plain or gzip, with bounded sizes; pointers are named as such."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from core.errors import LemmataError

BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
MAX_LINE = 1 << 28  # bytes of one line: a longer one is no row of a table
MAX_WHOLE = 1 << 30  # bytes of a file that is read as a whole
_LFS, _ANNEX = b"version https://git-lfs.github.com/spec/", b"/annex/objects/"
UNPACK_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)


def suffix_of(path: Path) -> str:
    """The suffix that names the kind of a file, without ``.gz``."""
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return inner.suffix.lower()


def check_content(path: Path) -> None:
    """Raises LemmataError for a pointer of Git LFS or git-annex, which stands where the file itself is missing."""
    with path.open("rb") as file:
        head = file.read(200)
    name, fix = "", ""
    if head.startswith(_LFS):
        name, fix = "Git LFS", "git lfs pull"
    elif _ANNEX in head and len(head) < 200 and b"\n" not in head.strip():
        name, fix = "git-annex", "git annex get"
    if name:
        raise LemmataError(f"{path} is a pointer of {name}, not the file itself: fetch it with `{fix}` in its folder")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file as UTF-8 or in whatever 8-bit encoding it has: gzip is unpacked, UTF-16 is recoded.

    Raises LemmataError for a gzip file that is broken.
    """
    try:
        with path.open("rb") as raw:
            packed = path.suffix.lower() == ".gz"
            plain = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            buffered = io.BufferedReader(cast(io.RawIOBase, plain))
            if buffered.peek(2)[:2] in UTF_16:
                yield cast(BinaryIO, _Recoded(io.TextIOWrapper(buffered, encoding="utf-16", newline="")))
            else:
                yield cast(BinaryIO, buffered)
    except UNPACK_ERRORS as error:
        raise LemmataError(f"{path}: broken gzip ({error}): fetch or pack the file again") from error
    except UnicodeError as error:
        raise LemmataError(f"{path}: broken UTF-16 ({error}): save the file as UTF-8") from error


class _Recoded(io.RawIOBase):
    """UTF-16 text as lines of UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def readline(self, size: int | None = -1) -> bytes:
        """The next line."""
        return self._text.readline(-1 if size is None else size).encode()

    def read(self, size: int = -1) -> bytes:
        """The next characters."""
        return self._text.read(size).encode()


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Lines of a file with their numbers; only ``\n`` ends one. Raises LemmataError for a line of absurd length."""
    with opened(path) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise LemmataError(f"{path}:{number}: a line of more than {MAX_LINE >> 20} MiB: split it into rows")
            yield number, line.removeprefix(BOM) if number == 1 else line


def whole(path: Path) -> bytes:
    """The content of a file. Raises LemmataError for a file that is too long to be read as a whole."""
    with opened(path) as file:
        content = file.read(MAX_WHOLE + 1)
    if len(content) > MAX_WHOLE:
        raise LemmataError(f"{path}: more than {MAX_WHOLE >> 30} GiB cannot be read as one JSON value: use .jsonl")
    return content.removeprefix(BOM)
