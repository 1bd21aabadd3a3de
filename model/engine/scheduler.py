"""Who runs in the next step, and on which pages. Knows sequences and pages, no tensors.

Every step decodes all sequences whose prompt is done, and takes up waiting prompts in order of arrival, in chunks of a
bounded number of tokens, so that a long prompt delays nobody for long. Where pages run out, the sequence that came last
gives up its own and is computed again later; its random numbers are its own, so that its text stays the same.
"""

from collections import deque

from model.engine.pages import Pages
from model.engine.sequence import Sequence


class Scheduler:
    """``max_sequences`` run at a time; a step takes up ``prefill_tokens`` of prompts, padding included.

    A sequence must not grow beyond what all pages hold; then the oldest can always go on.
    """

    def __init__(self, pages: Pages, max_sequences: int, prefill_tokens: int) -> None:
        self.pages = pages
        self.max_sequences, self.prefill_tokens = max_sequences, prefill_tokens
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    def add(self, sequences: list[Sequence]) -> None:
        """Queue the sequences of one request: the first computes the prompt, and the others share it."""
        leader, *leader.siblings = sequences
        self.waiting.append(leader)

    def decoding(self, ahead: int) -> list[Sequence]:
        """The sequences to decode, each with room for its last token and ``ahead`` drafts."""
        for sequence in list(self.running):
            if sequence.decodes and sequence in self.running:
                self._make_room(sequence, len(sequence.tokens) + min(ahead, sequence.left))
        return [sequence for sequence in self.running if sequence.decodes]

    def prefilling(self) -> list[tuple[Sequence, int]]:
        """The chunks of prompts for this step: (sequence, tokens). They will be padded to the longest of them."""
        chunks: list[tuple[Sequence, int]] = []
        for sequence in [sequence for sequence in self.running if not sequence.decodes]:
            if sequence in self.running and self._fits(chunks, sequence):
                tokens = min(sequence.num_uncached_tokens, self.prefill_tokens)
                self._make_room(sequence, sequence.cached + tokens)
                chunks.append((sequence, tokens))
        chunks = [(sequence, tokens) for sequence, tokens in chunks if sequence in self.running]
        while self.waiting and len(self.running) < self.max_sequences:
            sequence = self.waiting[0]
            self._take_known_prefix(sequence)
            tokens = min(sequence.num_uncached_tokens, self.prefill_tokens)
            if not self._fits(chunks, sequence) or not self._extend(sequence, sequence.cached + tokens):
                self._drop(sequence)  # who waits holds no pages
                break
            self.running.append(self.waiting.popleft())
            chunks.append((sequence, tokens))
        return chunks

    def _fits(self, chunks: list[tuple[Sequence, int]], sequence: Sequence) -> bool:
        """Whether the next chunk of ``sequence`` fits beside ``chunks``, all padded to the longest."""
        lengths = [tokens for _, tokens in chunks] + [sequence.num_uncached_tokens]
        return not chunks or max(lengths) * len(lengths) <= self.prefill_tokens

    def _take_known_prefix(self, sequence: Sequence) -> None:
        """Start from the pages that hold the beginning of its tokens; the last token is always computed."""
        sequence.names = self.pages.hash_pages(sequence.tokens[:-1])
        sequence.pages = self.pages.find(sequence.names)
        sequence.published = len(sequence.pages)
        sequence.cached = sequence.published * self.pages.size
        if sequence.request.cached_tokens is None:
            sequence.request.cached_tokens = sequence.cached

    def fork(self, leader: Sequence) -> list[tuple[Sequence, int, int]]:
        """The siblings of a ``leader`` whose prompt is done join it: (sibling, page to copy, its copy).

        They share the pages that end before the prompt's last token. Those who find no page or no place wait.
        """
        joined, left = [], leader.siblings
        leader.siblings = []
        shared = leader.pages[: (leader.cached - 1) // self.pages.size]
        while left and self.pages.available and len(self.running) < self.max_sequences:
            sibling, *left = left
            for page in shared:
                self.pages.share(page)
            copy = self.pages.take()
            sibling.pages, sibling.cached = [*shared, copy], leader.cached
            sibling.names, sibling.published = leader.names[: len(shared)], len(shared)
            joined.append((sibling, leader.pages[len(shared)], copy))
            self.running.append(sibling)
        if left:
            next_leader, *next_leader.siblings = left
            self.waiting.appendleft(next_leader)
        return joined

    def _make_room(self, sequence: Sequence, tokens: int) -> None:
        """Pages for ``tokens`` of a running sequence, taken from the youngest where none is left."""
        while not self._extend(sequence, tokens):
            youngest = self.running[-1]
            self.preempt(youngest)
            if youngest is sequence:
                return

    def _extend(self, sequence: Sequence, tokens: int) -> bool:
        """Give a sequence the pages that ``tokens`` need, if they are there."""
        missing = -(-tokens // self.pages.size) - len(sequence.pages)
        if missing > self.pages.available:
            return False
        sequence.pages.extend(self.pages.take() for _ in range(missing))
        return True

    def preempt(self, sequence: Sequence) -> None:
        """A running sequence gives up its pages and waits, first in line, to be computed again."""
        self.running.remove(sequence)
        self._drop(sequence)
        self.waiting.appendleft(sequence)

    def advance(self, sequence: Sequence, tokens: int) -> None:
        """Note that rows up to ``tokens`` are in the cache, and make its new full pages known."""
        sequence.cached = tokens
        full = tokens // self.pages.size
        if full > sequence.published:
            sequence.names = self.pages.hash_pages(sequence.tokens[:tokens], sequence.names[:full])
            for place in range(sequence.published, full):
                self.pages.register(sequence.pages[place], sequence.names[place])
            sequence.published = full

    def finish(self, sequence: Sequence) -> None:
        """A sequence leaves, done or canceled."""
        (self.running if sequence in self.running else self.waiting).remove(sequence)
        self._drop(sequence)

    def _drop(self, sequence: Sequence) -> None:
        self.pages.release(sequence.pages)
        sequence.pages, sequence.names, sequence.draft = [], [], None
        sequence.published = sequence.cached = 0
