"""The engine in a thread of its own, for callers in asyncio: a local policy, a server.

One step after the other runs in the thread; requests come in and are canceled between steps.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from typing import TypeVar

from model.engine.engine import Engine, Prompt
from model.engine.request import Request, SamplingParams
from model.errors import ModelError

T = TypeVar("T")
CLOSED = "the engine was closed"


class EngineService:
    """Runs ``engine`` until ``close``. Nobody else may use the engine meanwhile.

    ``failure`` says why the last step failed, until one succeeds.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.failure: str | None = None
        self._calls: deque[Callable[[], None]] = deque()
        self._wakened = threading.Condition()
        self._closing = False
        self._listeners: dict[int, Callable[[Exception | None], None]] = {}
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    async def stream(self, prompt: Prompt, sampling: SamplingParams) -> AsyncGenerator[Request, None]:
        """The request each time that its completions have grown, at last when all are finished.

        A caller that stops listening (closes the iterator, is canceled) cancels the request.
        Raises ModelError where the prompt cannot be taken, and what the engine raised where a step failed.
        """
        ids = await asyncio.to_thread(self.engine.encode, prompt)
        self.engine.check(ids, sampling)
        loop, news = asyncio.get_running_loop(), asyncio.Queue[Exception | bool]()

        def tell(item: Exception | bool) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(news.put_nowait, item)

        def add() -> Request:
            request = self.engine.add(ids, sampling)
            self._listeners[request.id] = lambda error: tell(error or request.finished)
            return request

        adding = self.run(add)
        try:
            request = await asyncio.wrap_future(adding)
            finished = False
            while not finished:
                item = await news.get()
                if isinstance(item, Exception):
                    raise item
                finished = item
                yield request
        finally:
            self._post(lambda: self._cancel(adding))

    async def generate(self, prompt: Prompt, sampling: SamplingParams) -> Request:
        """The request with all its completions finished. Raises as ``stream``."""
        return [request async for request in self.stream(prompt, sampling)][-1]

    def run(self, call: Callable[[], T]) -> Future[T]:
        """Have ``call`` run in the engine's thread between two steps: a swap of weights, say."""
        future: Future[T] = Future()

        def answer() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001  the caller gets it
                    future.set_exception(error)

        if not self._post(answer):
            future.set_exception(ModelError(CLOSED))
        return future

    def close(self) -> None:
        """Finish the step at hand and end the thread. Requests in work fail."""
        with self._wakened:
            self._closing = True
            self._wakened.notify()
        self._thread.join()

    def _post(self, call: Callable[[], None]) -> bool:
        """Queue a call for the thread, unless it is to end."""
        with self._wakened:
            if not self._closing:
                self._calls.append(call)
                self._wakened.notify()
            return not self._closing

    def _cancel(self, adding: Future[Request]) -> None:
        if not adding.cancelled() and not adding.exception():
            self._listeners.pop(adding.result().id, None)
            self.engine.cancel(adding.result())

    def _work(self) -> None:
        while True:
            with self._wakened:
                self._wakened.wait_for(lambda: self._calls or self._closing or not self.engine.idle)
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
        except Exception as error:  # noqa: BLE001  all who wait must hear of it, and the engine goes on
            self.failure = f"the last step failed: {type(error).__name__}: {error}"
            return self._fail(error)
        self.failure = None
        for request in grown:
            if listener := self._listeners.get(request.id):
                listener(None)
        return None

    def _fail(self, error: Exception) -> None:
        """Every request in work ends with ``error``."""
        self.engine.cancel_all()
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener(error)
