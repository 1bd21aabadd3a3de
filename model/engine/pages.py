"""Which page of the cache belongs to whom. Pages are shared by prompts, and kept for later ones until room is needed.

A full page is known by its content: the tokens in it and all tokens before it (as in vLLM's automatic prefix caching).
"""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b


class Pages:
    """``count`` pages of ``size`` tokens. A page is free, kept (known by content, used by nobody) or in use."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size
        self._free = list(reversed(range(count)))
        self._users = [0] * count
        self._page_of: dict[bytes, int] = {}
        self._content_of: dict[int, bytes] = {}
        self._kept: OrderedDict[int, None] = OrderedDict()  # the longest unused first

    @property
    def available(self) -> int:
        """How many pages can be taken."""
        return len(self._free) + len(self._kept)

    def take(self) -> int:
        """A page for new content; a kept one is given up only where none is free. Raises IndexError without either."""
        if self._free:
            page = self._free.pop()
        elif self._kept:
            page, _ = self._kept.popitem(last=False)
            del self._page_of[self._content_of.pop(page)]
        else:
            raise IndexError("no page is available")
        self._users[page] = 1
        return page

    def share(self, page: int) -> None:
        """One user more."""
        self._kept.pop(page, None)
        self._users[page] += 1

    def release(self, pages: Sequence[int]) -> None:
        """One user less of each. The last of a prefix is given up first, since the others are of use without it."""
        for page in reversed(pages):
            self._users[page] -= 1
            if not self._users[page]:
                if page in self._content_of:
                    self._kept[page] = None
                else:
                    self._free.append(page)

    def hash_pages(self, tokens: Sequence[int], known: Sequence[bytes] = ()) -> list[bytes]:
        """What names the full pages of ``tokens``, given the first names."""
        names = list(known)
        for start in range(len(names) * self.size, len(tokens) - self.size + 1, self.size):
            digest = blake2b(names[-1] if names else b"", digest_size=16)
            digest.update(array("q", tokens[start : start + self.size]).tobytes())
            names.append(digest.digest())
        return names

    def find(self, names: Sequence[bytes]) -> list[int]:
        """The pages that hold the longest known beginning of ``names``; the caller becomes a user of each."""
        found = []
        for name in names:
            if (page := self._page_of.get(name)) is None:
                break
            self.share(page)
            found.append(page)
        return found

    def register(self, page: int, name: bytes) -> None:
        """Make a full page known by its content, unless another is."""
        if name not in self._page_of and page not in self._content_of:
            self._page_of[name] = page
            self._content_of[page] = name

    def forget(self) -> None:
        """Know no content any more: the weights that wrote it have changed."""
        self._free.extend(self._kept)
        self._kept.clear()
        self._page_of.clear()
        self._content_of.clear()
