"""Runner of candidate families: their functions called in the sandbox, each call in a fresh kernel.

What a kernel prints is a claim of the candidate about itself. So `verify` runs where no instance was made, on data that
went through JSON, and cannot use what `generate` left behind.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from core.errors import LemmataError
from tools.pool import InterpreterPool
from tools.synthesis.candidate import Candidate, Instance, read_instances

MARK = "lemmata-synthesis:"
MAX_DATA = 20_000  # characters of the data of all instances

_GENERATE = """
import json
family = {{}}
exec({code}, family)
print({mark} + json.dumps([family["generate"](seed, {level}) for seed in {seeds}]))
"""
_VERIFY = """
import json
family = {{}}
exec({code}, family)
print({mark} + json.dumps([family["verify"](data, answer) is True for data, answer in json.loads({pairs})]))
"""
_SEARCH = """
import json
family = {{}}
exec({code}, family)
def found(data):
    for number in range({guesses}):
        for answer in {{str(number), str(-number)}}:
            if family["verify"](data, answer) is True:
                return True
    return False
print({mark} + json.dumps([found(data) for data in json.loads({data})]))
"""


class Failed(Exception):
    """A candidate whose code does not do what it should; the message says what."""


@dataclass
class Runner:
    """Runs candidates in the sandboxes of ``pool``."""

    pool: InterpreterPool
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def generate(self, candidate: Candidate, seeds: Sequence[int], level: int) -> list[Instance]:
        """The instances of some seeds. Raises Failed."""
        code = _GENERATE.format(code=repr(candidate.code), mark=repr(MARK), level=level, seeds=list(seeds))
        try:
            instances = read_instances(await self._run(code), seeds, level)
        except ValueError as error:
            raise Failed(str(error)) from error
        if len(json.dumps([instance.data for instance in instances])) > MAX_DATA:
            raise Failed(f"the data of {len(instances)} instances have more than {MAX_DATA} characters")
        return instances

    async def verify(self, candidate: Candidate, answers: Sequence[tuple[Instance, str]]) -> list[bool]:
        """The verdict on each answer to an instance. Raises Failed."""
        pairs = json.dumps([[instance.data, answer] for instance, answer in answers])
        code = _VERIFY.format(code=repr(candidate.code), mark=repr(MARK), pairs=repr(pairs))
        return self._booleans(await self._run(code), len(answers))

    async def search(self, candidate: Candidate, instances: Sequence[Instance], guesses: int) -> list[bool]:
        """True for instances that the integers below ``guesses``, and their opposites, solve. Raises Failed."""
        data = json.dumps([instance.data for instance in instances])
        code = _SEARCH.format(code=repr(candidate.code), mark=repr(MARK), guesses=guesses, data=repr(data))
        return self._booleans(await self._run(code), len(instances))

    @staticmethod
    def _booleans(value: object, count: int) -> list[bool]:
        if not isinstance(value, list) or len(value) != count or not all(isinstance(one, bool) for one in value):
            raise Failed("verify gives no truth value")
        return value

    async def _run(self, code: str) -> object:
        """The JSON that the code printed. Raises Failed for a candidate's fault, LemmataError where no sandbox runs."""
        name = f"synthesis {next(self._numbers)}"
        try:
            output = await self.pool.run(name, [], code)
        finally:
            await self.pool.end(name)
        if output.text.startswith("[the sandbox"):
            raise LemmataError(f"synthesis: {output.text.strip('[]')}")
        last = output.text.strip().rpartition("\n")[2]
        if output.status != "ok" or not last.startswith(MARK):
            reason = {"timeout": "it takes too long", "died": "it ended the interpreter"}.get(
                output.status, last[-200:]
            )
            raise Failed(reason or "it prints nothing")
        try:
            return json.loads(last.removeprefix(MARK))
        except ValueError as error:
            raise Failed("its output is cut off or no JSON") from error
