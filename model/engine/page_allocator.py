"""Page allocator with reference counts and prefix caching.

A full page is identified by a hash of its tokens and of all tokens before it (as in vLLM's automatic prefix caching).
Requests with a common prefix share its pages. A page that nobody uses keeps its content until its room is needed.
"""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b


class PageAllocator:
    """``count`` pages of ``size`` tokens, each free, cached (registered by hash, no users) or in use."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size
        self._free = list(reversed(range(count)))
        self._ref_counts = [0] * count
        self._page_by_hash: dict[bytes, int] = {}
        self._hash_by_page: dict[int, bytes] = {}
        self._cached: OrderedDict[int, None] = OrderedDict()  # least recently used first

    @property
    def available(self) -> int:
        """Number of pages that can be allocated: the free and the cached ones."""
        return len(self._free) + len(self._cached)

    def allocate(self) -> int:
        """Returns a page for new content; evicts a cached one only when none is free.

        Raises IndexError when every page is in use.
        """
        if self._free:
            page = self._free.pop()
        elif self._cached:
            page, _ = self._cached.popitem(last=False)
            del self._page_by_hash[self._hash_by_page.pop(page)]
        else:
            raise IndexError("no page is available")
        self._ref_counts[page] = 1
        return page

    def share(self, page: int) -> None:
        """Adds a user to a page."""
        self._cached.pop(page, None)
        self._ref_counts[page] += 1

    def free(self, pages: Sequence[int]) -> None:
        """Removes a user from each page. The end of a prefix is evicted before its beginning, which is useful alone."""
        for page in reversed(pages):
            self._ref_counts[page] -= 1
            if not self._ref_counts[page]:
                if page in self._hash_by_page:
                    self._cached[page] = None
                else:
                    self._free.append(page)

    def hash_pages(self, tokens: Sequence[int], known: Sequence[bytes] = ()) -> list[bytes]:
        """Returns the hashes of the full pages of ``tokens``; ``known`` are the first of them."""
        page_hashes = list(known)
        for start in range(len(page_hashes) * self.size, len(tokens) - self.size + 1, self.size):
            digest = blake2b(page_hashes[-1] if page_hashes else b"", digest_size=16)
            digest.update(array("q", tokens[start : start + self.size]).tobytes())
            page_hashes.append(digest.digest())
        return page_hashes

    def match_prefix(self, page_hashes: Sequence[bytes]) -> list[int]:
        """Returns the pages of the longest registered prefix of ``page_hashes``; the caller becomes a user of each."""
        found = []
        for page_hash in page_hashes:
            if (page := self._page_by_hash.get(page_hash)) is None:
                break
            self.share(page)
            found.append(page)
        return found

    def register(self, page: int, page_hash: bytes) -> None:
        """Makes a full page findable by its hash, unless another page with that hash is registered."""
        if page_hash not in self._page_by_hash and page not in self._hash_by_page:
            self._page_by_hash[page_hash] = page
            self._hash_by_page[page] = page_hash

    def reset_prefix_cache(self) -> None:
        """Forgets all content, because the weights that computed it have changed."""
        self._free.extend(self._cached)
        self._cached.clear()
        self._page_by_hash.clear()
        self._hash_by_page.clear()
