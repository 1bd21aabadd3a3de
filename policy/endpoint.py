"""Endpoint policy: any OpenAI-compatible server, over the ``openai`` async client."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import openai
from typing_extensions import override

from core.errors import LemmataError
from core.records import Usage
from policy.answer import ParsedResponse, Reader
from policy.endpoint_config import EndpointConfig, check_address, check_key
from policy.faults import (
    Busy,
    ContextTooLong,
    MalformedAnswer,
    NotConnected,
    ServerFault,
    hint_of,
    may_be_samples,
    message_of,
)
from policy.gate import ServerGate
from policy.guard import Guard
from policy.interface import Completion, Policy, Prompt, PromptRefused, RunStopped, Sampling, gather_all, user_prompt
from policy.meters import Meters
from policy.pool import Pool, Server, ServerSlot
from policy.request import RequestBuilder, smaller_room
from policy.retry import Backoff
from policy.transport import Transport

PROBE = user_prompt("What is 1 + 1?")
PROBE_TOKENS = 16
MIN_COPY = 80  # characters from which identical answers are copies; short ones agree by chance


@dataclass
class _Call:
    """One call with its attempts. ``failures`` counts those that failed, ``tries`` those that failed while other calls
    were answered, ``alone`` those since the last such one. ``lost``: tokens of attempts without an answer, which are
    counted already.
    """

    prompt: Prompt
    sampling: Sampling
    asked: int  # samples
    wanted: int  # samples, fewer where the server refuses that many
    room: int | None
    failed_at: float  # at first the start
    failures: int = 0
    tries: int = 0
    alone: int = 0
    halvings: int = 0
    lost: Usage | None = None
    avoided: set[Server] = field(default_factory=set)


class Endpoint(Policy):
    """Policy over one server or several. Calls go to the one with the fewest in flight, failed ones to another."""

    def __init__(self, name: str, config: EndpointConfig, guard: Guard, meters: Meters) -> None:
        self.name = name
        self.config = config
        self._guard = guard
        self._meters = meters
        self._backoff = Backoff(config.retry)
        self._requests = RequestBuilder(config)
        self._set_aside = 0  # prompts in a row, since the last answer
        self._refused: dict[str, str] = {}  # reasons by the digest of the prompt
        self._probing = asyncio.Lock()
        self._budget_fault: str | None = None
        self._knows_budget = guard.budget.tokens is None and guard.budget.cost is None
        key = os.environ.get(config.api_key_env) or "none"
        if not config.addresses:
            raise LemmataError(f"policy '{name}' has no server: give policy.base_url an address, or a list of them.")
        for url in config.addresses:
            check_address(name, url)
        check_key(config.api_key_env, key)
        self._readers = {url: Reader(url, config.prices, config.whole) for url in config.addresses}
        self._pool = Pool(name, [_server(config, url, key) for url in config.addresses], config.retry, guard, meters)

    @property
    @override
    def samples_per_request(self) -> int:
        return self._requests.max_samples

    @override
    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        return await gather_all(self._ask(prompt, sampling) for prompt in prompts)

    async def _ask(self, prompt: Prompt, sampling: Sampling) -> list[Completion]:
        if not self._knows_budget:
            await self._check_budget()
        if prompt.digest in self._refused:
            raise PromptRefused(self._refused[prompt.digest])
        call = self._call(prompt, sampling)
        try:
            answer = await self._persist(call)
        except PromptRefused as error:
            await self._check_server(sampling, error)
            self._refused[prompt.digest] = str(error)
            raise
        self._set_aside = 0
        self._check_copies(answer, sampling)
        fewer = answer.is_complete and len(answer.completions) + answer.failed < call.wanted
        if fewer or call.wanted < call.asked:
            self._requests.max_samples = min(len(answer.completions), call.wanted)
        first, *others = answer.completions[: call.wanted]
        return [replace(first, lost=call.lost), *others]

    def _check_copies(self, answer: ParsedResponse, sampling: Sampling) -> None:
        """Ask for one sample a request from a server that repeats itself within one: it repeats the seed."""
        texts = [f"{one.reasoning}{one.text}" for one in answer.completions]
        copies = len(texts) - len({text for text in texts if len(text) >= MIN_COPY}) - sum(map(_is_short, texts))
        if copies and sampling.temperature != 0 and self._requests.max_samples > 1:
            self._requests.max_samples = 1
            self._meters.warn(
                f"policy '{self.name}': {copies + 1} of {len(texts)} answers of one request are identical at "
                f"temperature {sampling.temperature}: the server repeats its seed. Identical analyses of a proof count "
                "once; from now on each request asks for one sample (policy.samples_per_request=1)."
            )

    async def _check_budget(self) -> None:
        """Find out, by one-line prompts before the first call, whether the server reports what the budget needs.

        Raises:
            LemmataError: a cost budget without prices, from a server that states no cost.
        """
        budget = self._guard.budget
        async with self._probing:
            if self._knows_budget:
                return
            if self._budget_fault is not None:
                raise LemmataError(self._budget_fault)
            streamed = self._requests.streams
            answer = await self._probe_budget()
            if answer.completions[0].usage is None and streamed and not self._requests.streams:
                answer = await self._probe_budget()  # a plain response may hold what a streamed one lacks
            if budget.cost is not None and not self.config.prices.given and not answer.states_cost:
                self._budget_fault = (
                    f"budget.cost={budget.cost:g} cannot be kept: the prices of policy '{self.name}' are 0, and "
                    f"{self.config.addresses[0]} states no cost (usage.cost). Set policy.prices.prompt and "
                    "policy.prices.completion (per million tokens), or use budget.tokens."
                )
                raise LemmataError(self._budget_fault)
            self._knows_budget = True

    async def _probe_budget(self) -> ParsedResponse:
        answer = await self._persist(self._call(PROBE, Sampling(max_tokens=PROBE_TOKENS, seed=0)))
        usage = answer.completions[0].usage
        if usage is not None:
            self._meters.usage += usage
            self._guard.spend(usage)
        return answer

    def _call(self, prompt: Prompt, sampling: Sampling) -> _Call:
        wanted = min(sampling.n, self._requests.max_samples)
        return _Call(prompt, sampling, wanted, wanted, sampling.max_tokens, self._pool.clock())

    async def _check_server(self, sampling: Sampling, error: PromptRefused) -> None:
        """Raise LemmataError where even a one-line prompt gets no answer: then no prompt is at fault.

        Asked for before the first answer, and after ``budget.max_consecutive_failures`` prompts in a row.
        """
        self._set_aside += 1
        async with self._probing:
            is_suspicious = self._set_aside >= self._guard.budget.max_consecutive_failures
            if self._pool.answered_at is not None and not is_suspicious:
                return
            try:
                await self._persist(self._call(PROBE, replace(sampling, n=1, max_tokens=PROBE_TOKENS)))
            except PromptRefused as refused:
                status = int(str(refused)[5:8]) if str(refused)[5:8].isdigit() else None
                raise LemmataError(
                    f"{', '.join(self.config.addresses)} refuses even a one-line prompt: {refused}. "
                    f"Check the settings of policy '{self.name}'. {hint_of(status, str(refused))}".rstrip()
                ) from error
            self._set_aside = 0

    async def _persist(self, call: _Call) -> ParsedResponse:
        """Send until a server answers. Errors hold the tokens that the attempts used.

        Raises:
            PromptRefused: the prompt is refused, or fails time after time while others are answered.
            RunStopped: no server answers for the run's patience, or the run stops.
            LemmataError: no call of this run can work.
        """
        try:
            while True:
                body = self._requests.body(call.prompt, call.sampling, call.wanted, call.room)
                try:
                    return await self._attempt(call, body)
                except ServerFault as fault:
                    self._book(call, fault)
                    await self._after_fault(call, fault)
                except PromptRefused as error:
                    if not self._adapt(call, error, body):
                        raise
        except (PromptRefused, RunStopped) as error:
            error.usage = call.lost
            raise

    async def _attempt(self, call: _Call, body: Mapping[str, Any]) -> ParsedResponse:
        place = await self._pool.admit(call.avoided)
        url = place.server.url
        try:
            started = self._pool.clock()
            with self._meters.arriving() as arrival:
                value = await place.server.transport.send(body, lambda: self._pool.accepted(place), arrival.add)
                answer = self._readers[url].read(value, self._pool.clock() - started)
                arrival.end(answer.completions[0].usage)
        except (ServerFault, PromptRefused) as fault:
            self._note(call, place, fault)
            raise
        finally:
            self._pool.release(place)
        self._pool.answered(place)
        if answer.is_complete:
            self._requests.note_usage(streamed="stream" in body, reported=answer.completions[0].usage is not None)
        return answer

    def _note(self, call: _Call, place: ServerSlot, fault: ServerFault | PromptRefused) -> None:
        """Tell the pool about a failed attempt, and remember what the server answered."""
        if not isinstance(fault, NotConnected):
            place.server.last_reply = message_of(fault)
        if isinstance(fault, Busy):
            self._pool.busy(place, fault)
        elif isinstance(fault, ServerFault) and not isinstance(fault, MalformedAnswer):
            self._pool.failed(place, fault)
            self._raise_if_unreachable(call, place, fault)
            call.avoided.add(place.server)

    def _book(self, call: _Call, fault: ServerFault) -> None:
        """Count an attempt without an answer, and its tokens."""
        self._meters.retries += 1
        if fault.usage is not None:
            call.lost = (call.lost or Usage()) + fault.usage
            self._meters.usage += fault.usage
            self._guard.spend(fault.usage)

    async def _after_fault(self, call: _Call, fault: ServerFault) -> None:
        """Wait for the next attempt, or set the prompt aside once its attempts are used up while others succeed."""
        self._guard.check()
        if isinstance(fault, Busy):
            return  # the gate of the server makes every call wait
        if isinstance(fault, MalformedAnswer) or self._answered_since(call.failed_at):
            call.tries, call.alone = call.tries + 1, 0
        else:
            call.alone += 1
        call.failures += 1
        call.failed_at = self._pool.clock()
        attempts = self.config.retry.attempts + len(self.config.addresses) - 1
        if call.tries >= attempts or (call.alone >= attempts and await self._answers_probe(call)):
            raise PromptRefused(f"{call.failures} attempts failed, the last one: {message_of(fault)}")
        if len(call.avoided) < len(self.config.addresses):
            return  # another server is tried at once
        call.avoided.clear()
        await self._guard.sleep(self._backoff.wait(call.failures, fault.wait))

    def _answered_since(self, moment: float) -> bool:
        return self._pool.answered_at is not None and self._pool.answered_at > moment

    async def _answers_probe(self, call: _Call) -> bool:
        """True where a one-line prompt is answered now: then the prompt of ``call`` is at fault, not the server."""
        call.alone = 0
        if call.prompt == PROBE:
            return False
        probe = self._call(PROBE, replace(call.sampling, n=1, max_tokens=PROBE_TOKENS))
        try:
            await self._attempt(probe, self._requests.body(probe.prompt, probe.sampling, 1, probe.room))
        except ServerFault as fault:
            self._book(call, fault)
            return False
        return True

    def _adapt(self, call: _Call, error: PromptRefused, body: Mapping[str, Any]) -> bool:
        """Change a refused call so that it may be accepted; False where nothing is left to change."""
        if isinstance(error, ContextTooLong):
            room = smaller_room(error, call.room, call.halvings)
            call.halvings += 1
            call.room = room if room is not None else call.room
            return room is not None and call.halvings <= self.config.retry.attempts
        if self._requests.adapt(error, body):
            return True
        if call.wanted > 1 and may_be_samples(error):
            # Some servers refuse n > 1: the same prompt is sent once more with n = 1.
            call.wanted = 1
            return True
        return False

    def _raise_if_unreachable(self, call: _Call, place: ServerSlot, fault: ServerFault) -> None:
        if not isinstance(fault, NotConnected) or self._pool.answered_at is not None:
            return
        if call.failures + 1 >= self.config.retry.connect_attempts + len(self.config.addresses) - 1:
            if place.server.last_reply:
                raise LemmataError(
                    f"the server of policy '{self.name}' at {place.server.url} takes no connection any more ({fault}); "
                    f"it answered last: {place.server.last_reply}. It never gave a whole answer: read its log. A "
                    "server that dies of a request may need policy.samples_per_request=1, policy.send_seed=false, "
                    "policy.stream=false, or a smaller sampling.max_tokens or policy.concurrency."
                ) from fault
            raise LemmataError(
                f"cannot reach the server of policy '{self.name}' at {place.server.url}: {fault}. "
                "Start it, or set policy.base_url to a server that runs."
            ) from fault

    @override
    async def close(self) -> None:
        await self._pool.close()


def _is_short(text: str) -> bool:
    return len(text) < MIN_COPY


def _server(config: EndpointConfig, url: str, key: str) -> Server:
    client = openai.AsyncOpenAI(
        base_url=url,
        api_key=key,
        max_retries=0,
        timeout=openai.Timeout(config.request_timeout, connect=config.connect_timeout),
        default_headers=dict(config.headers),
    )
    transport = Transport(client, url, config.request_timeout, config.idle_timeout)
    return Server(url, transport, ServerGate(config.concurrency))
