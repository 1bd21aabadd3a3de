"""Pool of interpreters: a bound on their number, eviction, variables made again, and nothing left at the end."""

import asyncio

import pytest

from tests.tools import sandboxes
from tools.interpreter import Output
from tools.pool import InterpreterPool

pytestmark = pytest.mark.slow


def test_many_conversations_share_few_interpreters_and_keep_their_variables() -> None:
    sandboxes.require()

    async def converse(pool: InterpreterPool, name: int) -> list[Output]:
        codes = [f"x = [{name}]", "x.append(len(x))", "print(x)"]
        outputs = []
        for place, code in enumerate(codes):
            outputs.append(await pool.run(str(name), codes[:place], code))
            assert pool.size <= 2
        return outputs

    async def run() -> tuple[list[list[Output]], InterpreterPool, list[int]]:
        pool = InterpreterPool(sandboxes.small(kernels=2))
        results = await asyncio.gather(*(converse(pool, name) for name in range(4)))
        groups = [place.interpreter.pid for place in pool._places.values()]
        await pool.close()
        return results, pool, groups

    results, pool, groups = asyncio.run(run())
    assert [outputs[-1].text for outputs in results] == [f"[{name}, 1]\n" for name in range(4)]
    assert pool.counts.calls == 12
    assert pool.counts.sandboxes <= 2
    assert pool.counts.kernels >= 4
    assert pool.size == 0
    assert groups
    assert [sandboxes.members(group) for group in groups] == [[] for _ in groups]


def test_an_evicted_conversation_has_its_variables_again_and_another_one_cannot_see_them() -> None:
    sandboxes.require()

    async def run() -> tuple[InterpreterPool, list[Output]]:
        pool = InterpreterPool(sandboxes.small(kernels=1))
        outputs = [
            await pool.run("a", [], "secret = 7"),
            await pool.run("b", [], "print('secret' in globals())"),
            await pool.run("a", ["secret = 7"], "print(secret)"),
            await pool.run("a", ["secret = 7", "print(secret)"], "print(secret + 1)"),
        ]
        await pool.close()
        return pool, outputs

    pool, outputs = asyncio.run(run())
    assert [output.text for output in outputs] == ["", "False\n", "7\n", "8\n"]
    assert (pool.counts.sandboxes, pool.counts.kernels, pool.counts.evicted, pool.counts.repeated) == (1, 3, 2, 1)


def test_after_a_time_limit_the_conversation_begins_with_an_empty_interpreter() -> None:
    sandboxes.require()

    async def run() -> list[Output]:
        pool = InterpreterPool(sandboxes.small(kernels=1, seconds=3.0))
        outputs = [
            await pool.run("a", [], "x = 1\nprint('begun')\nwhile True: pass"),
            await pool.run("a", [], "print('x' in globals())"),
        ]
        await pool.close()
        return outputs

    first, second = asyncio.run(run())
    assert first.status == "timeout"
    assert first.text == "begun\n"
    assert second.text == "False\n"


LEFT_BEHIND = """
import os, sympy, builtins
builtins.print = lambda *_: None
sympy.Symbol = None
os.makedirs('/tmp/a/b')
open('/tmp/a/b/file', 'w').write('secret')
os.chmod('/tmp/a/b', 0)
os.symlink('/usr', '/tmp/link')
os.symlink('/tmp/nowhere', '/tmp/a/dangling')
os.mkfifo('/tmp/pipe')
"""
DEEP = """
import os
for _ in range(3000):
    os.mkdir('d')
    os.chdir('d')
"""


@pytest.mark.parametrize(("code", "sandboxes_started"), [(LEFT_BEHIND, 1), (DEEP, 2)], ids=["files", "a deep tree"])
def test_a_conversation_finds_nothing_of_an_earlier_one_in_its_sandbox(code: str, sandboxes_started: int) -> None:
    sandboxes.require()
    look = "import os, sympy\nprint(sorted(os.listdir('/tmp')), sympy.Symbol('x'), 'secret' in globals())"

    async def run() -> tuple[InterpreterPool, list[Output]]:
        pool = InterpreterPool(sandboxes.small(kernels=1))
        fresh = await pool.run("a", [], look)
        await pool.end("a")
        outputs = [fresh, await pool.run("b", [], f"secret = 1\n{code}")]
        await pool.end("b")
        outputs.append(await pool.run("c", [], look))
        await pool.close()
        return pool, outputs

    pool, (first, left, last) = asyncio.run(run())
    assert (first.status, left.status) == ("ok", "ok")
    assert (last.status, last.text) == ("ok", first.text)
    assert pool.counts.sandboxes == sandboxes_started
