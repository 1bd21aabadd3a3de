"""Scheduler: the sequences of the next step and their pages, with chunked prefill and preemption. No tensors.

Every step decodes all sequences whose prompt is computed, and prefills waiting prompts in order of arrival, in chunks
of a bounded number of tokens, so that a long prompt does not stall the others. When pages run out, the sequence that
arrived last is preempted and recomputed later; its random numbers follow from its seed, so its text stays the same.
"""

from collections import deque

from model.engine.page_allocator import PageAllocator
from model.engine.sequence import Sequence


class Scheduler:
    """Runs up to ``max_num_seqs`` sequences, and prefills up to ``max_prefill_tokens`` a step, padding included.

    No sequence may need more than all pages; then the oldest can always continue.
    """

    def __init__(self, pages: PageAllocator, max_num_seqs: int, max_prefill_tokens: int) -> None:
        self.pages = pages
        self.max_num_seqs, self.max_prefill_tokens = max_num_seqs, max_prefill_tokens
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    def add(self, sequences: list[Sequence]) -> None:
        """Queues the sequences of one request: the first computes the prompt, and the others share it."""
        leader, *leader.siblings = sequences
        self.waiting.append(leader)

    def schedule_decode(self, num_drafts: int) -> list[Sequence]:
        """Returns the sequences to decode, each with pages for its last token and ``num_drafts`` drafts."""
        for sequence in list(self.running):
            if sequence.is_decoding and sequence in self.running:
                self._reserve(sequence, len(sequence.tokens) + min(num_drafts, sequence.num_remaining_tokens))
        return [sequence for sequence in self.running if sequence.is_decoding]

    def schedule_prefill(self) -> list[tuple[Sequence, int]]:
        """Returns the prompt chunks of this step as (sequence, tokens); they will be padded to the longest."""
        chunks: list[tuple[Sequence, int]] = []
        for sequence in [sequence for sequence in self.running if not sequence.is_decoding]:
            if sequence in self.running and self._fits(chunks, sequence):
                tokens = min(sequence.num_uncached_tokens, self.max_prefill_tokens)
                self._reserve(sequence, sequence.num_cached_tokens + tokens)
                chunks.append((sequence, tokens))
        chunks = [(sequence, tokens) for sequence, tokens in chunks if sequence in self.running]
        while self.waiting and len(self.running) < self.max_num_seqs:
            sequence = self.waiting[0]
            self._match_prefix(sequence)
            tokens = min(sequence.num_uncached_tokens, self.max_prefill_tokens)
            if not self._fits(chunks, sequence) or not self._extend(sequence, sequence.num_cached_tokens + tokens):
                self._free(sequence)  # waiting sequences hold no pages
                break
            self.running.append(self.waiting.popleft())
            chunks.append((sequence, tokens))
        return chunks

    def _fits(self, chunks: list[tuple[Sequence, int]], sequence: Sequence) -> bool:
        """Returns True if the next chunk of ``sequence`` fits into the step with ``chunks``, padding included."""
        lengths = [tokens for _, tokens in chunks] + [sequence.num_uncached_tokens]
        return not chunks or max(lengths) * len(lengths) <= self.max_prefill_tokens

    def _match_prefix(self, sequence: Sequence) -> None:
        """Shares the cached pages of the sequence's prefix; the last token is always computed.

        A prompt whose log-probabilities are still to be computed shares none.
        """
        sequence.page_hashes = self.pages.hash_pages(sequence.tokens[:-1])
        computed = sequence.request.awaits_prompt_logprobs
        sequence.pages = [] if computed else self.pages.match_prefix(sequence.page_hashes)
        sequence.num_registered_pages = len(sequence.pages)
        sequence.num_cached_tokens = sequence.num_registered_pages * self.pages.size
        if sequence.request.cached_tokens is None:
            sequence.request.cached_tokens = sequence.num_cached_tokens

    def fork(self, leader: Sequence) -> list[tuple[Sequence, int, int]]:
        """Starts the siblings of a ``leader`` whose prompt is computed; returns (sibling, page to copy, its copy).

        They share the pages that end before the prompt's last token. Siblings without a free page or slot wait.
        """
        joined, left = [], leader.siblings
        leader.siblings = []
        shared = leader.pages[: (leader.num_cached_tokens - 1) // self.pages.size]
        while left and self.pages.available and len(self.running) < self.max_num_seqs:
            sibling, *left = left
            for page in shared:
                self.pages.share(page)
            copy = self.pages.allocate()
            sibling.pages, sibling.num_cached_tokens = [*shared, copy], leader.num_cached_tokens
            sibling.page_hashes, sibling.num_registered_pages = leader.page_hashes[: len(shared)], len(shared)
            joined.append((sibling, leader.pages[len(shared)], copy))
            self.running.append(sibling)
        if left:
            next_leader, *next_leader.siblings = left
            self.waiting.appendleft(next_leader)
        return joined

    def _reserve(self, sequence: Sequence, tokens: int) -> None:
        """Allocates pages for ``tokens`` of a running sequence, preempting the youngest sequences if none is left."""
        while not self._extend(sequence, tokens):
            youngest = self.running[-1]
            self.preempt(youngest)
            if youngest is sequence:
                return

    def _extend(self, sequence: Sequence, tokens: int) -> bool:
        """Allocates the missing pages for ``tokens``. Returns False, allocating none, if too few are available."""
        missing = -(-tokens // self.pages.size) - len(sequence.pages)
        if missing > self.pages.available:
            return False
        sequence.pages.extend(self.pages.allocate() for _ in range(missing))
        return True

    def preempt(self, sequence: Sequence) -> None:
        """Frees the pages of a running sequence and puts it at the head of the queue, to be recomputed."""
        self.running.remove(sequence)
        self._free(sequence)
        self.waiting.appendleft(sequence)

    def advance(self, sequence: Sequence, tokens: int) -> None:
        """Records that the rows of the first ``tokens`` are cached, and registers the new full pages."""
        sequence.num_cached_tokens = tokens
        full = tokens // self.pages.size
        if full > sequence.num_registered_pages:
            sequence.page_hashes = self.pages.hash_pages(sequence.tokens[:tokens], sequence.page_hashes[:full])
            for place in range(sequence.num_registered_pages, full):
                self.pages.register(sequence.pages[place], sequence.page_hashes[place])
            sequence.num_registered_pages = full

    def finish(self, sequence: Sequence) -> None:
        """Removes a sequence, finished or canceled."""
        (self.running if sequence in self.running else self.waiting).remove(sequence)
        self._free(sequence)

    def _free(self, sequence: Sequence) -> None:
        self.pages.free(sequence.pages)
        sequence.pages, sequence.page_hashes, sequence.draft = [], [], None
        sequence.num_registered_pages = sequence.num_cached_tokens = 0
