"""Engine service: runs the engine in its own thread, for asyncio callers such as a local policy or a server.

The thread runs one step after another; requests are added and canceled between steps.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from typing import TypeVar

from model.engine.engine import LLMEngine, Prompt
from model.engine.request import Request, SamplingParams
from model.errors import ModelError

T = TypeVar("T")
CLOSED = "the engine was closed"


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
        self._listeners: dict[int, Callable[[Exception | None], None]] = {}
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    async def stream(self, prompt: Prompt, sampling: SamplingParams) -> AsyncGenerator[Request, None]:
        """Yields the request each time that its completions have grown, the last time when all are finished.

        Closing the iterator, or canceling its task, cancels the request.
        Raises ModelError for a prompt that the engine refuses, and the engine's own error if a step, or this request,
        failed.
        """
        ids = await asyncio.to_thread(self.engine.encode, prompt)
        self.engine.check(ids, sampling)
        loop, updates = asyncio.get_running_loop(), asyncio.Queue[Exception | bool]()

        def notify(item: Exception | bool) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(updates.put_nowait, item)

        def add() -> Request:
            request = self.engine.add(ids, sampling)
            self._listeners[request.id] = lambda error: notify(error or request.finished)
            return request

        adding = self.run(add)
        try:
            request = await asyncio.wrap_future(adding)
            finished = False
            while not finished:
                item = await updates.get()
                if isinstance(item, Exception):
                    raise item
                finished = item
                yield request
        finally:
            self._post(lambda: self._cancel(adding))

    async def generate(self, prompt: Prompt, sampling: SamplingParams) -> Request:
        """Returns the request with all its completions finished. Raises the errors of ``stream``."""
        return [request async for request in self.stream(prompt, sampling)][-1]

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
        for request in grown:
            if listener := self._listeners.get(request.id):
                listener(request.failure)
        return None

    def _fail(self, error: Exception) -> None:
        """Ends every request with ``error``."""
        self.engine.cancel_all()
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener(error)
