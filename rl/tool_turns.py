"""Tool turns of rollouts: calls at the end of an answer run, and the trajectory goes on with their outputs.

A turn with calls is a prompt and a completion like any other, so what the tools put into the next prompt is never
learned from. The history and its policies are those of the loop (`policy.tool_loop`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.ids import clean_text
from model.chat import split_thinking
from model.engine import SamplingParams
from model.tools import split_calls
from policy.history import History, HistoryTurn, without_old_thinking
from policy.interface import Message, ToolCall
from policy.tool_loop import SUMMARIZE, USED_UP
from rl.models.interface import RolloutEngine
from rl.task import Task, TaskTools
from rl.trajectory import Prompts, Trajectory, Turn, with_seed
from tools.context import context_policy


@dataclass
class ToolConversation:
    """A trajectory whose answers may call tools, from the user's message of its latest answer on."""

    trajectory: Trajectory
    tools: TaskTools
    history: History
    called: int = 0  # turns of this answer whose calls ran

    def continue_after_calls(self) -> bool:
        """Run the calls of the latest turn; False where it made none, or may make none: it is the answer."""
        turn = self.trajectory.turns[-1]
        calls = calls_of(turn)
        if not calls or self.called >= self.tools.turns:
            return False
        self.called += 1
        outputs = [clean_text(self.tools.run(call)) for call in calls]
        if self.called == self.tools.turns:
            outputs[-1] = f"{outputs[-1]}\n{USED_UP}"
        turn.kind, turn.outputs = "call", tuple(outputs)
        reasoning, answer = split_thinking(turn.completion.text, opened=turn.opened)
        text, _ = split_calls(answer)
        message = Message("assistant", clean_text(text), reasoning=clean_text(reasoning) or None, tool_calls=calls)
        answers = [Message("tool", text, tool_call_id=call.id) for call, text in zip(calls, outputs, strict=True)]
        added = HistoryTurn(str(len(self.trajectory.turns)), message, tuple(answers))
        self.history = replace(self.history, turns=(*self.history.turns, added))
        return True

    def render(self, chat: Prompts) -> list[int]:
        """The prompt of the next turn."""
        return chat.render_chat(self.history.messages, self.tools.specs)


def calls_of(turn: Turn) -> tuple[ToolCall, ...]:
    """The calls at the end of a turn; none where it was truncated."""
    if turn.completion.finish_reason == "length":
        return ()
    _, answer = split_thinking(turn.completion.text, opened=turn.opened)
    _, calls = split_calls(answer)
    return tuple(ToolCall(f"call_{place}", call.name, clean_text(call.arguments)) for place, call in enumerate(calls))


def sample_tool_turns(
    engine: RolloutEngine,
    chat: Prompts,
    task: Task,
    trajectories: Sequence[tuple[Trajectory, str]],
    sampling: SamplingParams,
) -> None:
    """Appends turns to trajectories, each with the user's message that its latest turn answers, until all are answers.

    A prompt that is too long even after the context policy ends its trajectory.
    """
    unfinished = [
        ToolConversation(trajectory, tools, History((Message("user", text),)))
        for trajectory, text in trajectories
        if (tools := task.tools(trajectory.number)) is not None
    ]
    while unfinished := [one for one in unfinished if one.continue_after_calls()]:
        rendered = [(one, _fitted(engine, chat, one, sampling)) for one in unfinished]
        for one, prompt in rendered:
            one.trajectory.too_long = len(prompt) if len(prompt) >= engine.max_model_len else None
        fitting = [(one, prompt) for one, prompt in rendered if one.trajectory.too_long is None]
        unfinished = [one for one, _ in fitting]
        sample_turns(engine, chat, [(one.trajectory, prompt) for one, prompt in fitting], sampling)


def sample_turns(
    engine: RolloutEngine, chat: Prompts, prompts: Sequence[tuple[Trajectory, list[int]]], sampling: SamplingParams
) -> None:
    """Appends one sampled turn to each trajectory."""
    seeded = [with_seed(sampling, one.number, one.index, len(one.turns), n=1) for one, _ in prompts]
    completions = engine.generate([prompt for _, prompt in prompts], seeded)
    for (trajectory, prompt), (completion,) in zip(prompts, completions, strict=True):
        trajectory.turns.append(Turn(prompt, completion, chat.opens_thinking(prompt)))


def _fitted(engine: RolloutEngine, chat: Prompts, one: ToolConversation, sampling: SamplingParams) -> list[int]:
    """The next prompt, after the context policy where it fills more than its share of the context."""
    prompt, limit = one.render(chat), engine.max_model_len * one.tools.context_share
    policy = one.tools.context
    if len(prompt) <= limit or policy.name == "none":
        return prompt
    summary = _summary(engine, chat, one, sampling) if policy.asks else None
    if policy.asks and summary is None:
        policy = context_policy("discard_all")
    one.history = policy(one.history, summary)
    return one.render(chat)


def _summary(engine: RolloutEngine, chat: Prompts, one: ToolConversation, sampling: SamplingParams) -> str | None:
    """The model's summary, a turn of the trajectory; None where the context does not hold the request for it."""
    messages = without_old_thinking((*one.history.messages, Message("user", SUMMARIZE)))
    prompt = chat.render_chat(messages, one.tools.specs)
    if len(prompt) >= engine.max_model_len:
        return None
    sample_turns(engine, chat, [(one.trajectory, prompt)], sampling)
    turn = one.trajectory.turns[-1]
    turn.kind = "summary"
    return clean_text(split_thinking(turn.completion.text, opened=turn.opened)[1])
