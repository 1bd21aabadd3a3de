"""Page allocator with reference counts and prefix caching.

A full page is identified by a hash of its tokens and of all tokens before it (as in vLLM's automatic prefix caching).
Requests with a common prefix share its pages, and pages that nobody uses keep their content until the room is needed.
"""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b


class PageAllocator:
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

    def allocate(self) -> int:
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

    def free(self, pages: Sequence[int]) -> None:
        """One user less of each. The last of a prefix is given up first, since the others are of use without it."""
        for page in reversed(pages):
            self._users[page] -= 1
            if not self._users[page]:
                if page in self._content_of:
                    self._kept[page] = None
                else:
                    self._free.append(page)

    def hash_pages(self, tokens: Sequence[int], known: Sequence[bytes] = ()) -> list[bytes]:
        """What page_hashes the full pages of ``tokens``, given the first page_hashes."""
        page_hashes = list(known)
        for start in range(len(page_hashes) * self.size, len(tokens) - self.size + 1, self.size):
            digest = blake2b(page_hashes[-1] if page_hashes else b"", digest_size=16)
            digest.update(array("q", tokens[start : start + self.size]).tobytes())
            page_hashes.append(digest.digest())
        return page_hashes

    def match_prefix(self, page_hashes: Sequence[bytes]) -> list[int]:
        """The pages that hold the longest known beginning of ``page_hashes``; the caller becomes a user of each."""
        found = []
        for page_hash in page_hashes:
            if (page := self._page_of.get(page_hash)) is None:
                break
            self.share(page)
            found.append(page)
        return found

    def register(self, page: int, page_hash: bytes) -> None:
        """Make a full page known by its content, unless another is."""
        if page_hash not in self._page_of and page not in self._content_of:
            self._page_of[page_hash] = page
            self._content_of[page] = page_hash

    def reset_prefix_cache(self) -> None:
        """Know no content any more: the weights that wrote it have changed."""
        self._free.extend(self._kept)
        self._kept.clear()
        self._page_of.clear()
        self._content_of.clear()
