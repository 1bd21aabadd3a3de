"""Shipped model: a generator of `lemmata cotrain` copied into model/shipped, with its domain and its card.

    python -m lemmata.ship_model RUN [STEP]

STEP is the generator of the last iteration unless given. The metrics are those of `lemmata report RUN`.
"""

import argparse
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import model
from core.store import Run
from lab.checker import DATE
from lemmata.compose import compose
from model.card import GENERATED

TARGET = Path(model.__file__).parent / "shipped"
MAX_BYTES = 16 * 10**6  # in the repository
MACHINE = (".threads", ".device")  # settings of the machine, which change results in their last digits only
STARTING = (
    "- It learned from SFT examples alone: the lab's, and corrections of its own proofs and analyses by the lab's",
    "  checker. Reinforcement learning comes after this step; none is in it.",
)
REINFORCED = (
    "- Labels of the first iteration are exact; the prover's reward is the trained verifier's score throughout.",
)


def main() -> None:
    """Copy the model and write its domain and card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run of `lemmata cotrain`")
    parser.add_argument("step", nargs="?", help="name of the step whose model is shipped")
    args = parser.parse_args()
    manifest = Run.read(args.run).manifest
    step = args.step or max(path.parent.name for path in (args.run / "steps").glob("*-generator/done"))
    source = args.run / "steps" / step / "model"
    size = sum(path.stat().st_size for path in source.iterdir())
    if size > MAX_BYTES:
        raise SystemExit(f"{source} has {size:,} bytes; at most {MAX_BYTES:,} may be shipped")
    TARGET.mkdir(exist_ok=True)
    for path in source.iterdir():
        shutil.copyfile(path, TARGET / path.name)
    data = manifest["config"]["train"]["data"]
    domain = {"families": data["families"], "levels": data["levels"], "prompts": "lab", "collected": False}
    (TARGET / "domain.json").write_text(json.dumps(domain) + "\n", encoding="utf-8")
    card = TARGET / "README.md"
    report = args.run / "report" / "report.md"
    card.write_text(with_recipe(card.read_text(encoding="utf-8"), manifest, step, report), encoding="utf-8")
    print(f"{TARGET}: {step} of {args.run.name}, {size:,} bytes")


def command(config: dict[str, Any]) -> str:
    """The command that starts a run with these settings: only those that differ from the defaults."""
    own = {key: value for key, value in config.items() if key not in {"command", "run", "seed"}}
    return " ".join(["lemmata cotrain", f"seed={config['seed']}", *_changes(own, compose("cotrain", {}), "")])


def _changes(own: Any, default: Any, at: str) -> Iterator[str]:
    if isinstance(own, dict) and isinstance(default, dict):
        for key, value in own.items():
            yield from _changes(value, default.get(key), f"{at}.{key}" if at else key)
    elif own != default and not at.endswith(MACHINE):
        yield f"{at}={json.dumps(own)}"


def _tables(text: str) -> str:
    """A report from its explanation to its main tables, its headings one level down."""
    text = text[text.index("Shares are in percent") :].partition("## Every model")[0].rstrip()
    return re.sub("^#", "##", text, flags=re.MULTILINE)


def with_recipe(card: str, manifest: Mapping[str, Any], step: str, report: Path) -> str:
    """The card of the saved model, extended, and without the mark by which saving a model overwrites it."""
    data = manifest["config"]["train"]["data"]
    lines = [
        "",
        "## How it was made",
        "",
        f"Step `{step}` of `{command(manifest['config'])}` at commit",
        f"{manifest['commit']} (docs/guides/recipe.md): trained from scratch, on theorems of the lab alone.",
        "",
        f"- Families {', '.join(data['families'])}; levels {', '.join(map(str, data['levels']))}.",
        *(STARTING if step == "base" else REINFORCED),
        "",
        "## Limits",
        "",
        "It knows the language of the lab and statements of these families alone. It accepts wrong proofs and doubts",
        "right ones at the rates below. Its answers about other mathematics mean nothing.",
        "",
        "## Metrics, on theorems that no training step used",
        "",
        f"Of all models of the run; this one is `{step}` where single models have rows. Scores by the exact checker",
        f"are those of the lab's checker of {DATE} or of the day of the run, if that is earlier.",
        "",
        _tables(report.read_text(encoding="utf-8")) if report.is_file() else "Not measured.",
    ]
    return card.replace(GENERATED + "\n", "").rstrip("\n") + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
