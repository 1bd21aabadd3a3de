"""Command line: maps ``lemmata COMMAND`` to its function and its overrides to Hydra."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any, NoReturn

import hydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from core.errors import LemmataError
from lemmata.compose import whole_mappings
from lemmata.terminal import plain

Command = Callable[[dict[str, Any]], int]

# Command: (module with a function of the command's name, one line for the usage).
COMMANDS = {
    "refine": (
        "lemmata.commands.refine",
        "prove, verify, meta-verify and refine; select a proof of each problem",
    ),
    "probe": ("lemmata.commands.probe", "try ten samples of each role before a long run"),
    "prove": ("lemmata.commands.prove", "write proofs without verifying them"),
    "verify": ("lemmata.commands.verify", "score the proofs of a run or a table"),
    "review": ("lemmata.commands.verify", "rate the analyses of a run by the meta-verifier"),
    "label": ("lemmata.commands.verify", "label the proofs of a run or a table automatically"),
    "import": ("lemmata.commands.import_export", "write a run of existing proofs"),
    "export": ("lemmata.commands.import_export", "write a run as a Parquet table"),
    "train": ("lemmata.commands.train", "train a role: SFT, indexer stages, reinforcement learning, distillation"),
    "cotrain": ("lemmata.commands.cotrain", "train the three roles together and merge them into one generator"),
    "adapt": ("lemmata.commands.adapt", "write data and rewards of a role for TRL, verifiers, verl, slime or NeMo Gym"),
    "merge": ("lemmata.commands.merge", "merge models of one base by their weights"),
    "serve": ("lemmata.commands.serve", "serve a DSA model to OpenAI-compatible clients"),
    "lab": ("lemmata.commands.lab", "lemmata lab generate: theorems with exact truth, labeled proofs and analyses"),
    "evaluate": (
        "lemmata.commands.evaluate",
        "problems x attempts x models, graded; also evaluate acceptance, grade, report, champ and human-grades",
    ),
    "synthesize": (
        "lemmata.commands.synthesize",
        "make tasks by programs that write and verify problems",
    ),
    "report": ("lemmata.commands.report", "tables and plots of a training run: lemmata report RUN [RUN ...]"),
    "explore": ("lemmata.commands.explore", "read runs and label proofs in a browser"),
    "show": ("lemmata.commands.show", "read a run, or one record of it: lemmata show RUN [ID]"),
}
TAKE_PROBLEMS = ("refine", "probe", "prove", "evaluate")
POSITIONAL = ("report", "show")  # read a run; their arguments are not settings
HELP = ("--help", "-h")
SECOND_WORDS = {"lab": ("generate",)}  # commands of two words
# Commands of two words with their own module and settings.
VARIANTS: dict[tuple[str, ...], str] = {
    ("evaluate", "grade"): "lemmata.commands.evaluate_grade",
    ("evaluate", "acceptance"): "lemmata.commands.evaluate_acceptance",
    ("evaluate", "report"): "lemmata.commands.evaluate_report",
    ("evaluate", "champ"): "lemmata.commands.evaluate_champ",
    ("evaluate", "human-grades"): "lemmata.commands.evaluate_human_grades",
}


def main() -> None:
    """Run the command named by the first argument; exits with its code.

    0: done. 1: an error, explained. 2: stopped early or problems left unfinished (the same command resumes).
    3: done, but nothing could be judged. 130: aborted.
    """
    try:
        try:
            run(sys.argv[1:])
        finally:
            sys.stdout.flush()  # here, because a closed pipe is no error
    except BrokenPipeError:  # `lemmata show RUN | head`, `lemmata train --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        sys.exit(0)


def run(arguments: list[str]) -> NoReturn:
    """Run the command that ``arguments`` (those after ``lemmata``) name."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.exit(usage())
    if arguments[0] == "--version":
        print(f"lemmata {version('lemmata')}")
        sys.exit(0)
    command = arguments[0]
    if command not in COMMANDS:
        fail(f"unknown command {command!r}; known: {', '.join(COMMANDS)}")
    if variant := VARIANTS.get(tuple(arguments[:2])):
        name = "_".join(arguments[:2]).replace("-", "_")
        sys.argv = [f"lemmata {' '.join(arguments[:2])}", *arguments[2:]]
        sys.exit(with_hydra(name, getattr(import_module(variant), f"{name}_command")))
    function = getattr(import_module(COMMANDS[command][0]), f"{command}_command")
    if command in POSITIONAL:
        sys.exit(guarded(function, arguments[1:]))
    sys.argv = [f"lemmata {command}", *whole_mappings(after_second_word(command, arguments[1:]))]
    sys.exit(with_hydra(command, function))


def after_second_word(command: str, arguments: list[str]) -> list[str]:
    """The arguments after a command's second word, which is checked; options such as --help need none."""
    words = SECOND_WORDS.get(command)
    others = [variant[1] for variant in VARIANTS if variant[0] == command]
    if others and arguments and "=" not in arguments[0] and not arguments[0].startswith("-"):
        fail(f"lemmata {command} has no second word {arguments[0]!r}; known: {', '.join(others)}, or none")
    if words is None or (arguments and arguments[0].startswith("-")):
        return arguments
    if not arguments or arguments[0] not in words:
        given = f", not {arguments[0]!r}" if arguments else ""
        fail(
            f"lemmata {command} must go on with {' or '.join(words)}{given}: lemmata {command} {words[0]} SETTING=VALUE"
        )
    return arguments[1:]


def with_hydra(command: str, function: Command) -> int:
    """Exit code of a command, the worst one when Hydra runs it several times (multirun)."""
    codes = [0]
    if any(argument in HELP for argument in sys.argv[1:]):
        return guarded(partial(print_help, command), sys.argv[1:])
    statement = take_statement(sys.argv) if command in TAKE_PROBLEMS else None

    def task(config: DictConfig) -> None:
        value = OmegaConf.to_container(config, resolve=True)
        assert isinstance(value, dict)
        if statement is not None:
            value["problem"] = statement
        codes.append(guarded(function, value))

    hydra.main(version_base="1.3", config_path="pkg://lemmata.conf", config_name=command)(task)()
    return max(codes)


def print_help(command: str, arguments: Sequence[str]) -> int:
    """Print the help of a command with the presets that ``arguments`` choose."""
    from lemmata.help import help_lines  # noqa: PLC0415  reads the settings files, which no other command does

    for line in help_lines(command, [one for one in arguments if not one.startswith("problem=")]):
        print(line)
    return 0


def take_statement(arguments: list[str]) -> str | None:
    """Remove ``problem=STATEMENT`` from the arguments: Hydra's grammar would parse the mathematics in it."""
    found = [argument for argument in arguments if argument.startswith("problem=") and argument != "problem=null"]
    for argument in found:
        arguments.remove(argument)
    return found[-1].removeprefix("problem=") if found else None


def guarded(function: Callable[[Any], int], argument: Any) -> int:
    """Call a command; an error that the user can fix is printed as one plain message."""
    try:
        return function(argument)
    except LemmataError as error:
        print_error(str(error))
        return 1
    except KeyboardInterrupt:
        print_error("aborted; the same command resumes")
        return 130


def usage() -> str | None:
    """Print the commands."""
    console = Console(highlight=False)
    console.print("lemmata COMMAND [SETTING=VALUE ...]\n")
    for name, (_, text) in COMMANDS.items():
        console.print(f"  [bold]{name:8}[/bold] {text}", soft_wrap=True)
    console.print("\nlemmata COMMAND --help lists the settings of a command, --cfg job prints them.")
    return None


def fail(message: str) -> None:
    """Print an error and leave."""
    print_error(message)
    sys.exit(1)


def print_error(message: str) -> None:
    """Print one message on standard error, without markup: it may quote any text."""
    Console(stderr=True, highlight=False).print(plain(f"lemmata: {message}", "red"), soft_wrap=True)
