"""Loop of one answer with tools: the model's calls run, their outputs go back to it, until it answers without a call.

Every turn and every output is a record before the next step, with an id that follows from the answer's; what the log
holds is neither asked for nor run again. Budgets are counted from the records, so that a resumed loop ends as it would
have ended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from core.config import STRICT, Positive, PositiveFloat, Share, settings
from core.ids import derive_seed, digest
from core.log import ProblemLog
from core.records import ContextChange, ContextSummary, Record, ToolOutput, ToolTurn
from core.store import now
from policy.faults import ContextTooLong
from policy.history import History, HistoryTurn, estimated_tokens, without_old_thinking
from policy.interface import Completion, Message, Policy, Prompt, Sampling, ToolCall, ToolSpec
from policy.meters import Meters
from policy.replay import Replay
from policy.throttle import Throttle

USED_UP = "[The budget for tool calls is used up: no further call is run. Write the answer now.]"
SUMMARIZE = (
    "The context is nearly full. Write a summary with which the work can go on without the messages above: what was "
    "tried, every result and value that was found, what is still open, and what to do next. Write only the summary."
)
SUMMARY_TEMPLATE = "context summary"


@settings(frozen=True, config=STRICT)
class ToolUseConfig:
    """Budgets of one answer with tools, and the policy for a context that is nearly full (lemmata/conf/base.yaml).

    ``turns``: answers with calls; ``tokens``: of all its turns, prompts included; ``seconds``: of all its calls.
    """

    turns: Positive
    tokens: Positive | None
    seconds: PositiveFloat
    context: Literal["none", "discard_all", "discard_75", "summary"]
    context_tokens: Positive | None
    context_share: Share


class ContextPolicy(Protocol):
    """A named pure function from history to history. ``asks``: its ``summary`` is written by the model."""

    name: str
    asks: bool

    def __call__(self, history: History, summary: str | None = None) -> History: ...


class Toolbox(Protocol):
    """The tools of a run."""

    specs: tuple[ToolSpec, ...]
    config: ToolUseConfig
    context: ContextPolicy
    overflow: ContextPolicy  # where the context does not even hold the request for a summary

    async def run(self, conversation: str, earlier: Sequence[ToolOutput], call: ToolCall) -> tuple[str, str, float]:
        """Status, text and seconds of a call, after the outputs of ``earlier`` ones of the conversation."""
        ...

    async def end(self, conversation: str) -> None:
        """Release what a conversation holds."""
        ...


@dataclass(frozen=True)
class AnswerPlace:
    """The record that a loop leads to: its id, seed and kind, and the fields that its turns share with it.

    ``common``: the fields of a generated record, from its id, its seed and the completion.
    """

    id: str
    seed: int
    kind: str
    problem_id: str
    parents: tuple[str, ...]
    common: Callable[[str, int, Completion], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Final:
    """The answer, and the prompt and seed of the request that it came from."""

    completion: Completion
    prompt: Prompt
    seed: int


@dataclass
class ToolLoop:
    """One answer. ``write`` appends records to the log."""

    toolbox: Toolbox
    policy: Policy
    sampling: Sampling
    place: AnswerPlace
    log: ProblemLog
    write: Callable[[Sequence[Record]], None]
    meters: Meters
    outputs: list[ToolOutput] = field(default_factory=list)
    tokens: int = 0  # of the turns so far
    number: int = 0  # of the next turn

    async def answer(self, prompt: Prompt) -> Final:
        """The answer to ``prompt``. Raises as Policy.sample; the turns before an error are in the log."""
        history = History(prompt.messages)
        try:
            while True:
                history = await self._fitted(history)
                result = await self._turn(history)
                if isinstance(result, Final):
                    return result
                if isinstance(result, ToolTurn):
                    history = replace(history, turns=(*history.turns, await self._ran(result)))
                else:
                    history = await self._changed(history, int(self._change_id(0) in self.log))
        finally:
            await self.toolbox.end(self.place.id)

    @property
    def _may_call(self) -> bool:
        """True while no budget of the answer is used up."""
        config, seconds = self.toolbox.config, sum(output.seconds for output in self.outputs)
        return (
            self.number < config.turns
            and seconds < config.seconds
            and (config.tokens is None or self.tokens < config.tokens)
        )

    async def _turn(self, history: History) -> ToolTurn | Final | ContextTooLong:
        """The next turn, from the log or the model; the answer itself; or the refusal of a prompt that can shrink."""
        name = digest(self.place.id, "tool_turn", self.number)
        if name in self.log:
            turn = self.log.get(name)
            assert isinstance(turn, ToolTurn)
        else:
            seed = derive_seed("tool_turn", self.place.seed, self.number) if self.number else self.place.seed
            prompt, may_call = Prompt(history.messages), self._may_call
            sampling = replace(self.sampling, n=1, seed=seed, tools=self.toolbox.specs, may_call=may_call)
            try:
                [[completion]] = await self.policy.sample([prompt], sampling)
            except ContextTooLong as error:
                if self._can_shrink(history):
                    return error
                raise
            if not completion.tool_calls or not may_call:
                return Final(completion, prompt, seed)
            turn = self._record(name, seed, prompt, completion)
            self.write([turn])
        self.tokens += turn.usage.total_tokens if turn.usage else 0
        return turn

    def _record(self, name: str, seed: int, prompt: Prompt, completion: Completion) -> ToolTurn:
        calls = tuple({"id": call.id, "name": call.name, "arguments": call.arguments} for call in completion.tool_calls)
        fields = self._fields(name, seed, prompt, completion)
        return ToolTurn(**fields, answer_id=self.place.id, role=self.place.kind, calls=calls)

    def _fields(self, name: str, seed: int, prompt: Prompt, completion: Completion) -> dict[str, Any]:
        before = tuple(output.id for output in self.outputs if output.index == 0)[-1:]
        changes = {"parents": (*self.place.parents, *before), "prompt": prompt.digest, "request": name}
        return {**self.place.common(name, seed, completion), **changes, "index": self.number}

    async def _ran(self, turn: ToolTurn) -> HistoryTurn:
        """A turn with the outputs of its calls, each recorded before the next one runs."""
        calls = tuple(ToolCall(**call) for call in turn.calls)
        texts = []
        for index, call in enumerate(calls):
            output = self._known(turn, index) or await self._run(turn, index, call)
            self.outputs.append(output)
            texts.append(output_text(output))
        self.number += 1
        if not self._may_call:
            texts[-1] = f"{texts[-1]}\n{USED_UP}"
        message = Message("assistant", turn.text, reasoning=turn.reasoning, tool_calls=calls)
        answers = [Message("tool", text, tool_call_id=call.id) for call, text in zip(calls, texts, strict=True)]
        return HistoryTurn(turn.id, message, tuple(answers))

    def _known(self, turn: ToolTurn, index: int) -> ToolOutput | None:
        """The output that the log holds, or the run that is replayed."""
        name = output_id(turn.id, index)
        if name in self.log:
            record = self.log.get(name)
            assert isinstance(record, ToolOutput)
            return record
        replayed = self.policy.recorded_output(name) if isinstance(self.policy, Throttle | Replay) else None
        if replayed is not None:
            self.write([replayed])
        return replayed

    async def _run(self, turn: ToolTurn, index: int, call: ToolCall) -> ToolOutput:
        status, text, seconds = await self.toolbox.run(self.place.id, self.outputs, call)
        self.meters.tool_calls += 1
        output = ToolOutput(
            id=output_id(turn.id, index),
            problem_id=self.place.problem_id,
            parents=(turn.id,),
            answer_id=self.place.id,
            role=self.place.kind,
            index=index,
            call_id=call.id,
            tool=call.name,
            arguments=call.arguments,
            status=status,
            text=text,
            seconds=seconds,
            created=now(),
        )
        self.write([output])
        return output

    # The context.

    def _can_shrink(self, history: History) -> bool:
        return bool(history.turns) and self.toolbox.context.name != "none"

    def _change_id(self, place: int) -> str:
        """The id of the change number ``place`` before the next turn: 0, or 1 where the context is too long still."""
        return digest(self.place.id, "context_change", self.number, place)

    async def _fitted(self, history: History) -> History:
        """``history``, changed by the context policy where the log says so or where it is nearly full."""
        window = self.toolbox.config.context_tokens
        is_full = window is not None and estimated_tokens(history.messages) > self.toolbox.config.context_share * window
        if self._change_id(0) in self.log or (is_full and self._can_shrink(history)):
            history = await self._changed(history, 0)
        return await self._changed(history, 1) if self._change_id(1) in self.log else history

    async def _changed(self, history: History, place: int) -> History:
        """``history`` after the context policy, with a record of what it left out."""
        name = self._change_id(place)
        policy, summary = self.toolbox.overflow if place else self.toolbox.context, None
        if policy.asks:
            summary = await self._summary(history, name)
            policy = policy if summary is not None else self.toolbox.overflow
        changed = policy(history, summary.text if summary is not None else None)
        if name not in self.log:
            kept = {turn.id for turn in changed.turns}
            change = ContextChange(
                id=name,
                problem_id=self.place.problem_id,
                parents=(summary.id,) if summary is not None else (),
                answer_id=self.place.id,
                role=self.place.kind,
                context_policy=policy.name,
                dropped=tuple(turn.id for turn in history.turns if turn.id not in kept),
                tokens_before=estimated_tokens(history.messages),
                tokens_after=estimated_tokens(changed.messages),
                created=now(),
            )
            self.write([change])
        return changed

    async def _summary(self, history: History, change: str) -> ContextSummary | None:
        """The model's summary, from the log or asked for; None where the context does not hold the request."""
        name = digest(self.place.id, "context_summary", self.number)
        if name in self.log:
            record = self.log.get(name)
            assert isinstance(record, ContextSummary)
            return record
        if change in self.log:
            return None  # there was none when the history changed
        seed = derive_seed("context_summary", self.place.seed, self.number)
        prompt = Prompt(without_old_thinking((*history.messages, Message("user", SUMMARIZE))))
        sampling = replace(self.sampling, n=1, seed=seed, tools=self.toolbox.specs, may_call=False)
        try:
            [[completion]] = await self.policy.sample([prompt], sampling)
        except ContextTooLong:
            return None
        fields = {**self._fields(name, seed, prompt, completion), "template": SUMMARY_TEMPLATE}
        record = ContextSummary(**fields, answer_id=self.place.id, role=self.place.kind)
        self.write([record])
        return record


def output_id(turn_id: str, index: int) -> str:
    """The id of the output of a turn's call."""
    return digest(turn_id, "tool_output", index)


def output_text(output: ToolOutput) -> str:
    """An output as the model is told it."""
    if output.status == "ok":
        return output.text or "[no output]"
    if output.status == "error":
        return output.text
    notes = {
        "timeout": f"[stopped after {output.seconds:g} s, the limit of a call: all variables are lost]",
        "died": "[the interpreter ended, by one of its limits or by the code: all variables are lost]",
        "refused": "[the call did not run]",
    }
    return f"{output.text}\n{notes.get(output.status, f'[{output.status}]')}".strip()
