"""Many problems at once: as many open as the servers need, none lost, and a clean end whatever goes wrong."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import pytest

from core.errors import LemmataError
from core.records import Generated, Problem
from core.store import Run
from policy.guard import Guard
from policy.interface import PolicyUnavailable, Sampling, user_prompt
from policy.meters import Meters
from policy.throttle import Throttle
from refine.loop import selection_id
from refine.schedule import Work, run_problems
from tests.clocks import HANG
from tests.presets import LIGHT, budget_config
from tests.scripted import Answer, Asked, Scripted, drawn, loop_of, many_problems, open_recorder

CALLS = 3


@dataclass
class Bench:
    """Problems that make some calls each, and how many of them were open at once."""

    answer: Answer = drawn
    concurrency: int = 4
    calls: int = CALLS
    at_once: bool = True
    meters: Meters = field(default_factory=Meters)
    guard: Guard = field(default_factory=lambda: Guard(budget_config()))
    open: int = 0
    max_open: int = 0
    max_in_flight: int = 0
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = Throttle(Scripted(self._answer), self.concurrency, self.guard, self.meters)

    async def _answer(self, asked: Asked) -> str | list[str]:
        self.max_in_flight = max(self.max_in_flight, self.meters.in_flight)
        return await self.answer(asked)

    async def work(self, problem: Problem) -> None:
        self.open += 1
        self.max_open = max(self.max_open, self.open)
        try:
            calls = [self._call(problem, number) for number in range(self.calls)]
            if self.at_once:
                await asyncio.gather(*calls)
            else:
                for call in calls:
                    await call
            self.done.append(problem.name)
        finally:
            self.open -= 1

    async def _call(self, problem: Problem, number: int) -> None:
        prompt = user_prompt(f"{problem.statement} ## Self Evaluation")
        await self.policy.sample([prompt], Sampling(seed=number))

    def run(self, problems: Iterable[Problem], work: Work | None = None) -> list[str]:
        async def bounded() -> list[str]:
            running = run_problems(problems, work or self.work, [self.policy], self.guard, self.meters)
            return await asyncio.wait_for(running, HANG)

        return asyncio.run(bounded())


def slow(turns: int = 3) -> Answer:
    async def answer(asked: Asked) -> list[str]:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await drawn(asked)

    return answer


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("concurrency", [1, 2, 7])
@pytest.mark.parametrize("calls", [0, 1, 5])
def test_every_problem_is_run_once(concurrency: int, calls: int, at_once: bool) -> None:
    bench = Bench(slow(), concurrency, calls, at_once)
    assert bench.run(many_problems(20)) == []
    assert sorted(bench.done) == sorted(problem.name for problem in many_problems(20))
    assert (bench.meters.problems, bench.meters.finished, bench.meters.unfinished) == (20, 20, 0)
    assert bench.meters.calls == 20 * calls
    assert bench.max_in_flight <= concurrency
    assert bench.max_open <= concurrency


def test_the_server_is_kept_full() -> None:
    """One call of each problem at a time leaves room for as many problems as there are places."""
    bench = Bench(slow(20), 8, 5, at_once=False)
    bench.run(many_problems(30))
    assert bench.max_open == bench.max_in_flight == 8


def test_no_more_problems_are_open_than_it_takes() -> None:
    """A problem that fills the server by itself is enough; the next one starts when places fall free."""
    bench = Bench(slow(20), 8, 8)
    bench.run(many_problems(10))
    assert bench.max_open <= 3
    assert bench.max_in_flight == 8


def test_ten_thousand_small_problems_are_not_all_open_at_once() -> None:
    bench = Bench(drawn, 16, 1)
    read = 0

    def counted() -> Iterator[Problem]:
        nonlocal read
        for problem in many_problems(10_000):
            read += 1
            assert read - len(bench.done) <= 17  # nothing is read far ahead either
            yield problem

    assert bench.run(counted()) == []
    assert len(bench.done) == 10_000
    assert bench.max_open <= 16


def open_files() -> int:
    files = Path("/proc/self/fd")
    if not files.is_dir():
        pytest.skip("counts the open files in /proc")
    return len(list(files.iterdir()))


def test_logs_of_finished_problems_are_closed(tmp_path: Path) -> None:
    """The work of a command on 300 problems, with a count of the open files of this process."""
    bench = Bench(drawn, 8)
    config = replace(LIGHT, proofs=1, rounds=1)
    before, most = open_files(), 0

    async def work(problem: Problem) -> None:
        nonlocal most
        recorder = open_recorder(tmp_path, problem=problem)
        with closing(recorder.log):
            await loop_of(bench.policy, config).run(recorder)
            most = max(most, open_files() - before)

    assert bench.run(many_problems(300), work) == []
    assert bench.meters.finished == 300
    assert most <= 8 + 8


def failing(name: str, error: Exception) -> Answer:
    """Fails every call about one problem."""

    async def answer(asked: Asked) -> str | list[str]:
        if f"Prove {name}." in asked.text:
            raise error
        return await slow()(asked)

    return answer


def test_a_problem_whose_calls_fail_is_left_unfinished_while_the_others_finish() -> None:
    bench = Bench(failing("7", PolicyUnavailable("no answer after 8 tries")))
    assert bench.run(many_problems(20)) == ["p7: no answer after 8 tries"]
    assert len(bench.done) == bench.meters.finished == 19
    assert (bench.meters.problems, bench.meters.unfinished, bench.guard.reason) == (20, 1, None)


def test_a_fatal_error_ends_the_run() -> None:
    bench = Bench(failing("7", LemmataError("no such model")))
    with pytest.raises(LemmataError, match="no such model"):
        bench.run(many_problems(1000))
    assert bench.meters.problems < 20
    assert bench.open == bench.meters.in_flight == 0
    assert bench.guard.reason == "an error: no such model"


def test_a_server_that_fails_every_time_ends_the_run() -> None:
    async def answer(asked: Asked) -> str:
        raise PolicyUnavailable("down")

    bench = Bench(answer, guard=Guard(budget_config(max_consecutive_failures=5)))
    unfinished = bench.run(many_problems(1000))
    assert 1 <= len(unfinished) <= 10
    assert bench.guard.reason == "5 calls failed in a row, the last one: down"
    assert bench.meters.problems < 20


def test_a_budget_ends_the_run_between_calls() -> None:
    bench = Bench(slow(), guard=Guard(budget_config(tokens=15 * 30)))
    assert bench.run(many_problems(1000)) == []
    assert bench.guard.reason == "the token budget of 450 is used up"
    assert 30 <= bench.meters.calls < 30 + 4
    assert bench.meters.finished + bench.meters.unfinished == bench.meters.problems < 20


def test_an_iterator_that_fails_midway() -> None:
    def problems() -> Iterator[Problem]:
        yield from many_problems(10)
        raise LemmataError("table.csv:12: broken")

    bench = Bench(slow(10))
    with pytest.raises(LemmataError, match=r"table.csv:12: broken"):
        bench.run(problems())
    assert bench.open == bench.meters.in_flight == 0
    assert 6 <= len(bench.done) <= 10


def test_no_problems() -> None:
    bench = Bench()
    assert bench.run([]) == []
    assert bench.meters.problems == 0


@pytest.mark.parametrize("first", [LemmataError("no such model"), RuntimeError("our own fault")])
def test_calls_in_flight_are_written_down_when_the_run_ends(tmp_path: Path, first: Exception) -> None:
    """The error comes while other calls are under way; their answers come later, and are kept."""
    full, failed = asyncio.Event(), asyncio.Event()

    async def answer(asked: Asked) -> list[str]:
        if asked.number == 7:
            full.set()
        if asked.number == 5:
            await full.wait()
            failed.set()
            raise first
        await failed.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        return await drawn(asked)

    bench = Bench(answer, 8)
    with Run.start(tmp_path, "refine", {}) as run:
        with pytest.raises(type(first), match=str(first)):
            bench.run(many_problems(50), loop_work(bench, tmp_path / "problems"))
        assert sum(isinstance(record, Generated) for record in run.records()) == 7


def loop_work(bench: Bench, folder: Path) -> Work:
    async def work(problem: Problem) -> None:
        recorder = open_recorder(folder, problem=problem)
        with closing(recorder.log):
            await loop_of(bench.policy, replace(LIGHT, proofs=2)).run(recorder)
            assert selection_id(problem.id) in recorder.log

    return work


def test_a_stop_by_the_user_finishes_calls_in_flight() -> None:
    bench = Bench(slow(10))

    async def stops(asked: Asked) -> str | list[str]:
        if asked.number == 20:
            bench.guard.stop("interrupted")
        return await slow(10)(asked)

    bench.answer = stops
    assert bench.run(many_problems(100)) == []
    assert 20 < bench.meters.calls <= 20 + 4
    assert bench.open == 0


@pytest.mark.parametrize("count", [1, 100])
def test_canceling_drops_calls_in_flight(count: int) -> None:
    """Both while problems are waiting for room (100), and once the last has started (1)."""

    async def never(asked: Asked) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    bench = Bench(never)

    async def cancelled() -> None:
        running = run_problems(many_problems(count), bench.work, [bench.policy], bench.guard, bench.meters)
        task = asyncio.create_task(running)
        for _ in range(100):
            await asyncio.sleep(0)
        assert bench.meters.in_flight == min(4, 3 * count)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, HANG)
        assert bench.open == bench.meters.in_flight == 0

    asyncio.run(cancelled())


def test_problems_that_ask_for_nothing_do_not_wait(tmp_path: Path) -> None:
    """Resuming: what is finished already passes by without a call."""
    bench = Bench(calls=0, concurrency=2)
    assert bench.run(islice(many_problems(500), 500)) == []
    assert bench.max_open == 1


def test_two_servers_fill_each_other_in() -> None:
    """A problem alternates between two servers; both are in use at the same time."""
    meters, guard = Meters(), Guard(budget_config())
    policies = [Throttle(Scripted(slow(5)), 2, guard, meters) for _ in range(2)]
    both = 0

    async def work(problem: Problem) -> None:
        nonlocal both
        for policy in policies * 3:
            await policy.sample([user_prompt(problem.statement)], Sampling())
            both += all(each.free < each.concurrency for each in policies)

    asyncio.run(asyncio.wait_for(run_problems(many_problems(30), work, policies, guard, meters), HANG))
    assert meters.finished == 30
    assert both > 20
