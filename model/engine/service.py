"""Engine service: runs the engine in its own thread, for asyncio callers such as a local policy or a server.

The thread runs one step after another; requests are added and canceled between steps.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from model.engine.engine import LLMEngine, Prompt
from model.engine.request import Request, SamplingParams
from model.errors import ModelError

T = TypeVar("T")
CLOSED = "the engine was closed"


@dataclass(slots=True)
class _Listener:
    """A caller's event loop, the event that wakes it, and the state of its request after the last step."""

    loop: asyncio.AbstractEventLoop
    event: asyncio.Event
    partial: bool
    finished: bool = False
    error: Exception | None = None


class EngineService:
    """Runs ``engine`` until ``close``; until then no other code may use the engine.

    ``failure``: the error of the last step, None once a step succeeds.
    """

    def __init__(self, engine: LLMEngine) -> None:
        self.engine = engine
        self.failure: str | None = None
        self._calls: deque[Callable[[], None]] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._listeners: dict[int, _Listener] = {}
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    async def stream(
        self, prompt: Prompt, sampling: SamplingParams, *, partial: bool = True
    ) -> AsyncGenerator[Request, None]:
        """Yields the request when its completions have grown, the last time when all are finished.

        Steps that the caller is too slow for are one item. ``partial`` False: the finished request alone.
        Closing the iterator, or canceling its task, cancels the request.
        Raises ModelError for a prompt that the engine refuses, and the engine's own error if a step, or this request,
        failed.
        """
        ids = await asyncio.to_thread(self.engine.encode, prompt)
        self.engine.check(ids, sampling)
        listener = _Listener(asyncio.get_running_loop(), asyncio.Event(), partial)

        def add() -> Request:
            request = self.engine.add(ids, sampling)
            self._listeners[request.id] = listener
            return request

        adding = self.run(add)
        try:
            request = await asyncio.wrap_future(adding)
            finished = False
            while not finished:
                await listener.event.wait()
                listener.event.clear()
                finished = listener.finished
                if listener.error is not None:
                    raise listener.error
                yield request
        finally:
            self._post(lambda: self._cancel(adding))

    async def generate(self, prompt: Prompt, sampling: SamplingParams) -> Request:
        """Returns the request with all its completions finished. Raises the errors of ``stream``."""
        return [request async for request in self.stream(prompt, sampling, partial=False)][-1]

    def run(self, call: Callable[[], T]) -> Future[T]:
        """Runs ``call`` in the engine's thread between two steps, for example to change weights."""
        future: Future[T] = Future()

        def answer() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001  raised to the caller by the future
                    future.set_exception(error)

        if not self._post(answer):
            future.set_exception(ModelError(CLOSED))
        return future

    def close(self) -> None:
        """Finishes the current step and ends the thread. Unfinished requests fail."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    def _post(self, call: Callable[[], None]) -> bool:
        """Queues a call for the thread. Returns False if the service is closing."""
        with self._condition:
            if not self._closing:
                self._calls.append(call)
                self._condition.notify()
            return not self._closing

    def _cancel(self, adding: Future[Request]) -> None:
        if not adding.cancelled() and not adding.exception():
            self._listeners.pop(adding.result().id, None)
            self.engine.cancel(adding.result())

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._calls or self._closing or not self.engine.idle)
                calls, self._calls = self._calls, deque()
                closing = self._closing
            for call in calls:
                call()
            if closing:
                return self._fail(ModelError(CLOSED))
            if not self.engine.idle:
                self._step()

    def _step(self) -> None:
        try:
            grown = self.engine.step()
        except Exception as error:  # noqa: BLE001  every listener is notified, and the engine continues
            self.failure = f"the last step failed: {type(error).__name__}: {error}"
            return self._fail(error)
        self.failure = None
        told: list[_Listener] = []
        for request in grown:
            listener = self._listeners.get(request.id)
            if listener is not None and (listener.partial or request.finished or request.failure):
                listener.finished, listener.error = request.finished, request.failure
                told.append(listener)
        return _wake(told)

    def _fail(self, error: Exception) -> None:
        """Ends every request with ``error``."""
        self.engine.cancel_all()
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener.error = error
        _wake(listeners.values())


def _wake(listeners: Iterable[_Listener]) -> None:
    """Wakes the callers: once for each event loop, because waking a loop costs more than setting its events."""
    events: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
    for listener in listeners:
        events.setdefault(listener.loop, []).append(listener.event)
    for loop, waiting in events.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_set_all, waiting)


def _set_all(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        event.set()
