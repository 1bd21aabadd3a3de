"""Recorder: samples only what is missing from the log and appends every result, which makes runs resumable.

The loop above it is a deterministic function of the completions; every sample has an id that follows from its inputs,
and a sample that is in the log is not requested again.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from core.errors import LemmataError
from core.ids import derive_seed, digest
from core.log import ProblemLog
from core.records import (
    Analysis,
    Comparison,
    FollowUp,
    Grading,
    Problem,
    Proof,
    Record,
    Refusal,
    Review,
    Unscored,
    Usage,
    from_json,
    to_json,
)
from core.rubric import ParseFailure
from core.store import now
from policy.duplicates import Duplicates
from policy.follow_up import FollowUpQuestion, follow_up_id, needs_follow_up, unscored_id, with_score
from policy.guard import Guard
from policy.interface import (
    Completion,
    Policy,
    PolicyUnavailable,
    Prompt,
    PromptRefused,
    RunStopped,
    Sampling,
    gather_all,
)
from policy.meters import Meters
from policy.tool_loop import AnswerPlace, Toolbox, ToolLoop
from policy.usability import UnusableConfig

R = TypeVar("R", Proof, Analysis, Review, Grading, Comparison)
T = TypeVar("T")
UNANSWERED = "unanswered"  # role of a refusal that keeps the tokens of a call without an answer
Then = Callable[[R], Awaitable[T]]


@dataclass(frozen=True)
class Call(Generic[R]):
    """Samples number ``indices`` of one prompt. ``build`` makes a record of the common fields and the completion."""

    policy: Policy
    prompt: Prompt
    template: str
    sampling: Sampling
    kind: type[R]
    build: Callable[[dict[str, Any], Completion], R]
    parents: tuple[str, ...] = ()
    round: int = 0
    indices: Sequence[int] = (0,)
    follow_up: FollowUpQuestion | None = None


@dataclass(frozen=True, slots=True)
class _Sample:
    """One sample of a call: its place, and the id and seed that follow from the inputs."""

    index: int
    id: str
    seed: int


class Recorder:
    """Samples and records for one problem. ``guard`` stops the run when the log cannot be written.

    ``retry_refused``: samples that were set aside before are asked for again. ``unusable``: when the run says that no
    answer can be used. ``toolbox``: the tools of every role; each answer is then a request of its own.
    """

    def __init__(
        self,
        problem: Problem,
        log: ProblemLog,
        seed: int,
        meters: Meters,
        guard: Guard | None = None,
        duplicates: Duplicates | None = None,
        *,
        retry_refused: bool = False,
        unusable: UnusableConfig | None = None,
        toolbox: Toolbox | None = None,
    ) -> None:
        self.problem = problem
        self.log = log
        self.refusal: str | None = None  # reason of the last sample that was set aside
        self._seed = seed
        self._meters = meters
        self._guard = guard
        self._duplicates = duplicates or Duplicates()
        self._unusable = unusable
        self._toolbox = toolbox
        self._repeated = self._refusals() if retry_refused else {}

    def checked(self, record: R) -> R:
        """``record`` without a score where, by now, another problem of the run has the same text."""
        return self._duplicates.checked(record)

    def _refusals(self) -> dict[str, Usage]:
        """The samples that are set aside, with the tokens that they used."""
        records = (self.log.get(name) for name in self.log.ids())
        return {
            record.id: record.usage or Usage()
            for record in records
            if isinstance(record, Refusal) and record.role != UNANSWERED
        }

    @property
    def repeats(self) -> bool:
        """True where samples that were set aside are asked for again, so that an earlier selection does not count."""
        return bool(self._repeated)

    def of_judge(self, identity: str) -> "Recorder":
        """A recorder on the same log whose samples have ids of their own, for one of several judges of one prompt."""
        seed = derive_seed("judge", self._seed, identity)
        recorder = Recorder(
            self.problem,
            self.log,
            seed,
            self._meters,
            self._guard,
            self._duplicates,
            unusable=self._unusable,
            toolbox=self._toolbox,
        )
        recorder._repeated = self._repeated
        return recorder

    async def ask(self, call: Call[R], then: Then[R, T]) -> list[T]:
        """Obtain and record every sample of ``call``, and run ``then`` on each as soon as it is recorded.

        Returns the results of ``then`` in the order of ``call.indices``, without the samples that the server refused.

        Raises:
            PolicyUnavailable, RunStopped, LemmataError: as Policy.sample, after every call in flight has ended.
        """
        samples = self._samples(call)
        known = [sample for sample in samples if self._is_known(sample)]
        held = [sample for sample in samples if sample not in known and unscored_id(sample.id) in self.log]
        missing = [sample for sample in samples if sample not in known and sample not in held]
        self._meters.reused += len(known) + len(held)
        results = await self._merge(
            [
                self._deliver(call, known, then),
                *(self._complete(call, sample, then) for sample in held),
                *(self._obtain(call, part, then) for part in self._split(call, missing)),
            ]
        )
        return [results[index] for index in call.indices if index in results]

    def _samples(self, call: Call[R]) -> list[_Sample]:
        inputs = (self._seed, call.kind.kind, self.problem.id, call.parents, call.round, call.prompt.digest)
        return [_Sample(index, digest(*inputs, index), derive_seed(*inputs, index)) for index in call.indices]

    def _is_known(self, sample: _Sample) -> bool:
        return sample.id in self.log and sample.id not in self._repeated

    def _split(self, call: Call[R], samples: Sequence[_Sample]) -> list[Sequence[_Sample]]:
        size = 1 if self._toolbox is not None else max(1, call.policy.samples_per_request)
        return [samples[start : start + size] for start in range(0, len(samples), size)]

    async def _obtain(self, call: Call[R], group: Sequence[_Sample], then: Then[R, T]) -> dict[int, T]:
        """Request a group at once; samples that the server leaves out are requested again."""
        arrived = await self._request(call, group)
        rest = self._split(call, group[arrived:])
        return await self._merge(
            [self._deliver(call, group[:arrived], then), *(self._obtain(call, part, then) for part in rest)]
        )

    async def _merge(self, parts: Sequence[Awaitable[dict[int, T]]]) -> dict[int, T]:
        return {index: result for part in await gather_all(parts) for index, result in part.items()}

    async def _deliver(self, call: Call[R], group: Sequence[_Sample], then: Then[R, T]) -> dict[int, T]:
        records = [(sample.index, self.log.get(sample.id)) for sample in group]
        usable = [(index, self.checked(record)) for index, record in records if isinstance(record, call.kind)]
        self._note_refusals(record for _, record in records)
        self._meters.refusals += len(records) - len(usable)
        self._meters.parse_failures += sum(_is_unparseable(record) for _, record in usable)
        results = await gather_all(then(record) for _, record in usable)
        return {index: result for (index, _), result in zip(usable, results, strict=True)}

    def _note_refusals(self, records: Iterable[Record]) -> None:
        self.refusal = next((record.error for record in records if isinstance(record, Refusal)), self.refusal)

    async def _request(self, call: Call[R], group: Sequence[_Sample]) -> int:
        """Send one request for a group and record the completions; returns their number."""
        try:
            answers, changes = await self._sample(call, group)
        except PromptRefused as error:
            self._write([self._refusal(call, group[0], error, usage=error.usage)])
            self._write([self._refusal(call, sample, error) for sample in group[1:]])
            return len(group)
        except (PolicyUnavailable, RunStopped) as error:
            self._book(call, group[0], error)
            raise
        pairs = list(zip(group, answers, strict=False))
        built = [call.build(self._common(call, sample, group[0], answer) | changes, answer) for sample, answer in pairs]
        records = [self.checked(record) for record in built]
        pending = [record for record in records if call.follow_up and needs_follow_up(record)]
        self._write([_unscored(record) if record in pending else record for record in records])
        scored = await gather_all(self._ask_again(call, record) for record in pending)
        self._check_usability([*scored, *(record for record in records if record not in pending)])
        return len(pairs)

    async def _sample(self, call: Call[R], group: Sequence[_Sample]) -> tuple[list[Completion], dict[str, Any]]:
        """The completions of a group, and the fields of their records that follow from tool calls on the way."""
        if self._toolbox is None:
            sampling = replace(call.sampling, n=len(group), seed=group[0].seed)
            [answers] = await call.policy.sample([call.prompt], sampling)
            return answers, {}
        [sample] = group

        def common(name: str, seed: int, answer: Completion) -> dict[str, Any]:
            return self._common(call, _Sample(sample.index, name, seed), sample, answer)

        place = AnswerPlace(sample.id, sample.seed, call.kind.kind, self.problem.id, call.parents, common)
        loop = ToolLoop(self._toolbox, call.policy, call.sampling, place, self.log, self._write, self._meters)
        final = await loop.answer(call.prompt)
        return [final.completion], {"prompt": final.prompt.digest, "seed": final.seed}

    def _check_usability(self, records: Sequence[R]) -> None:
        usability = self._meters.usability
        before = usability.answers
        for record in records:
            usability.add(record)
        limit = self._unusable
        if limit is not None and not usability.usable and before < limit.after <= usability.answers:
            self._meters.warn(usability.explanation())
            if limit.stop and self._guard is not None:
                self._guard.stop(usability.explanation())

    def _book(self, call: Call[R], sample: _Sample, error: PolicyUnavailable | RunStopped) -> None:
        """Record the tokens of failed attempts, under an id of its own, so that the sample is asked for again."""
        if error.usage is not None:
            name = digest(sample.id, "unanswered", now())
            refusal = self._refusal(call, replace(sample, id=name), error, usage=error.usage)
            self._write([replace(refusal, role=UNANSWERED)])

    async def _complete(self, call: Call[R], sample: _Sample, then: Then[R, T]) -> dict[int, T]:
        """Ask for the verdict of an answer that the log holds without one, then deliver it."""
        held = self.log.get(unscored_id(sample.id))
        assert isinstance(held, Unscored)
        record = from_json(held.record)
        assert isinstance(record, call.kind)
        self._check_usability([await self._ask_again(call, record)])
        return await self._deliver(call, [sample], then)

    async def _ask_again(self, call: Call[R], record: R) -> R:
        """Ask for the verdict alone, write the record with it and return that."""
        assert call.follow_up is not None
        name, seed = follow_up_id(record.id)
        prompt = call.follow_up.prompt(call.prompt, record.answer)
        sample = _Sample(0, name, seed)
        try:
            [[answer]] = await call.policy.sample([prompt], call.follow_up.sampling(call.sampling, seed))
        except PromptRefused as error:
            unscored = with_score(record, ParseFailure(f"asked again, the server refused: {error}"))
            self._write([self._refusal(call, sample, error, usage=error.usage), unscored])
            return unscored
        except (PolicyUnavailable, RunStopped) as error:
            self._book(call, sample, error)
            raise
        score = call.follow_up.read(answer)
        failed = isinstance(score, ParseFailure)
        common = self._common(call, sample, sample, answer)
        common |= {"parents": (record.id,), "prompt": prompt.digest, "template": f"follow_up of {call.template}"}
        answered = FollowUp(**common, score=None if failed else score, fault=score.reason if failed else None)
        scored = with_score(record, score)
        self._write([answered, scored])
        return scored

    def _write(self, records: Sequence[Record]) -> None:
        try:
            self.log.append(records)
        except LemmataError as error:
            if self._guard is not None:
                # At once: until the error reaches the caller, other calls would be paid for and lost.
                self._guard.stop(f"an error: {error}")
            raise

    def _common(self, call: Call[R], sample: _Sample, first: _Sample, answer: Completion) -> dict[str, Any]:
        return {
            "id": sample.id,
            "problem_id": self.problem.id,
            "parents": call.parents,
            "round": call.round,
            "index": sample.index,
            "policy": call.policy.name,
            "model": answer.model,
            "template": call.template,
            "prompt": call.prompt.digest,
            "seed": sample.seed,
            "text": answer.text,
            "reasoning": answer.reasoning,
            "finish_reason": answer.finish_reason,
            "usage": self._usage(sample, answer),
            "request": first.id,
            "seconds": answer.seconds,
            "created": now(),
        }

    def _usage(self, sample: _Sample, answer: Completion) -> Usage | None:
        """The usage of an answer with that of the failed attempts before it, also those of an earlier command."""
        earlier = self._repeated.pop(sample.id, Usage())
        return (answer.paid or Usage()) + earlier if answer.paid or earlier != Usage() else None

    def _refusal(self, call: Call[R], sample: _Sample, error: Exception, usage: Usage | None = None) -> Refusal:
        earlier = self._repeated.pop(sample.id, Usage())
        return Refusal(
            id=sample.id,
            problem_id=self.problem.id,
            parents=call.parents,
            role=call.kind.kind,
            policy=call.policy.name,
            prompt=call.prompt.digest,
            seed=sample.seed,
            error=str(error),
            created=now(),
            usage=usage + earlier if usage else earlier if earlier != Usage() else None,
        )


def _unscored(record: Proof | Analysis | Review | Grading | Comparison) -> Unscored:
    value = to_json(record)
    return Unscored(id=unscored_id(record.id), problem_id=record.problem_id, record=value, created=record.created)


def _is_unparseable(record: Proof | Analysis | Review | Grading | Comparison) -> bool:
    if isinstance(record, Proof):
        return bool(record.faults)
    return (record.points if isinstance(record, Grading) else record.score) is None
