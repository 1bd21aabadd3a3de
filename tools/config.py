"""Settings of the interpreter and of tool use (lemmata/conf/base.yaml)."""

from typing import Literal

from core.config import STRICT, Name, Positive, PositiveFloat, settings

ToolName = Literal["python", "calculator"]
SandboxKind = Literal["auto", "bubblewrap", "namespaces", "none"]


@settings(frozen=True, config=STRICT)
class InterpreterConfig:
    """Sandbox and limits of the Python interpreter.

    ``python``: the interpreter of an environment with the kernel's packages (None: the one that runs). ``sandbox``: how
    code is contained; ``none`` runs it with limits alone. ``kernels``: that run at a time. ``seconds`` of a call;
    ``cpu_seconds`` of a kernel; ``memory`` and ``disk`` in MiB; ``output`` in characters of a call.
    """

    python: Name | None
    sandbox: SandboxKind
    kernels: Positive
    seconds: PositiveFloat
    cpu_seconds: Positive
    memory: Positive
    disk: Positive
    threads: Positive
    output: Positive
