"""Several asynchronous iterators as one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def merged(sources: Sequence[AsyncGenerator[T, None]]) -> AsyncIterator[AsyncIterator[tuple[int, T]]]:
    """Provides an iterator of (place of the source, its item) as items arrive; on exit all sources are closed.

    The first error of a source is raised.
    """
    queue = asyncio.Queue[tuple[int, T] | Exception | None]()

    async def read(place: int, source: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(source):
                async for item in source:
                    queue.put_nowait((place, item))
            queue.put_nowait(None)
        except Exception as error:  # noqa: BLE001  raised by the iterator
            queue.put_nowait(error)

    async def items() -> AsyncIterator[tuple[int, T]]:
        running = len(sources)
        while running:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                running -= 1
            else:
                yield item

    tasks = [asyncio.create_task(read(place, source)) for place, source in enumerate(sources)]
    try:
        yield items()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
