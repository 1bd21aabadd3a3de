"""Page allocator: no page is lost or shared by mistake, and pages are found only by their content."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from model.engine.page_allocator import PageAllocator


class Users(RuleBasedStateMachine):
    """Allocates, shares, registers and frees pages at random, with a simple model of their owners and contents."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = PageAllocator(6, 2)
        self.held: list[tuple[list[int], list[int]]] = []  # (tokens, pages) of each sequence
        self.content: dict[int, list[int]] = {}  # tokens by which a page was registered

    @rule(tokens=st.lists(st.integers(0, 1), min_size=2, max_size=7))
    def begin(self, tokens: list[int]) -> None:
        page_hashes = self.pages.hash_pages(tokens)
        found = self.pages.match_prefix(page_hashes)
        for page, start in zip(found, range(0, len(tokens), 2), strict=False):
            assert self.content[page] == tokens[: start + 2]
        need = -(-len(tokens) // 2) - len(found)
        if need > self.pages.available:
            self.pages.free(found)
            return
        pages = [*found, *(self.pages.allocate() for _ in range(need))]
        for place in range(len(found), len(tokens) // 2):
            self.content[pages[place]] = tokens[: 2 * place + 2]
            self.pages.register(pages[place], page_hashes[place])
        self.held.append((tokens, pages))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        _, pages = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.pages.free(pages)

    @rule()
    def weights_change(self) -> None:
        while self.held:
            self.pages.free(self.held.pop()[1])
        self.pages.reset_prefix_cache()
        assert self.pages.match_prefix(self.pages.hash_pages([0, 0, 1, 1])) == []

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.pages.available == 6 - len({page for _, pages in self.held for page in pages})

    @invariant()
    def shared_pages_have_equal_beginnings(self) -> None:
        owners: dict[tuple[int, int], list[int]] = {}
        for tokens, pages in self.held:
            for place, page in enumerate(pages):
                beginning = tokens[: 2 * place + 2]
                assert owners.setdefault((page, 0), beginning) == beginning


TestPages = Users.TestCase
TestPages.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_no_page_left() -> None:
    pages = PageAllocator(1, 2)
    pages.allocate()
    with pytest.raises(IndexError, match="no page"):
        pages.allocate()


def test_the_least_recently_used_page_is_evicted_first_and_the_end_of_a_prefix_before_its_beginning() -> None:
    pages = PageAllocator(3, 1)
    page_hashes = pages.hash_pages([7, 8])
    first = [pages.allocate(), pages.allocate()]
    for page, page_hash in zip(first, page_hashes, strict=True):
        pages.register(page, page_hash)
    pages.free(first)
    pages.allocate()  # the free one
    assert pages.allocate() == first[1]
    assert pages.match_prefix(page_hashes) == [first[0]]
