"""Makes a generator of `lemmata cotrain` the default model: weights, tokenizer, domain, and a card with its figures.

    python scripts/ship_model.py RUN [STEP]

STEP is the generator of the last iteration where it is not given. The figures are those of `lemmata report RUN`.
"""

import argparse
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from core.store import Run
from model.card import GENERATED

TARGET = Path(__file__).parents[1] / "model" / "shipped"
LARGEST = 16 * 10**6  # bytes in the repository
MACHINE = (".threads", ".device")  # settings of the machine, which change no result but its last digits
STARTING = (
    "- It learnt from worked examples alone: the lab's, and corrections of its own proofs and analyses by the lab's",
    "  checker. Reinforcement learning comes after this step; none is in it.",
)
REINFORCED = (
    "- Labels of the first iteration are exact; the prover's reward is the trained verifier's score throughout.",
)


def main() -> None:
    """Copy the model and write what belongs to it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run of `lemmata cotrain`")
    parser.add_argument("step", nargs="?", help="name of the step whose model is shipped")
    args = parser.parse_args()
    manifest = Run.read(args.run).manifest
    step = args.step or max(path.parent.name for path in (args.run / "steps").glob("*-generator/done"))
    source = args.run / "steps" / step / "model"
    size = sum(path.stat().st_size for path in source.iterdir())
    if size > LARGEST:
        raise SystemExit(f"{source} has {size:,} bytes; at most {LARGEST:,} may be shipped")
    TARGET.mkdir(exist_ok=True)
    for path in source.iterdir():
        shutil.copyfile(path, TARGET / path.name)
    data = manifest["config"]["train"]["data"]
    domain = {"families": data["families"], "levels": data["levels"], "prompts": "lab"}
    (TARGET / "domain.json").write_text(json.dumps(domain) + "\n", encoding="utf-8")
    card = TARGET / "README.md"
    figures = args.run / "report" / "report.md"
    card.write_text(with_recipe(card.read_text(encoding="utf-8"), manifest, step, figures), encoding="utf-8")
    print(f"{TARGET}: {step} of {args.run.name}, {size:,} bytes")


def command(config: dict[str, Any]) -> str:
    """The command that makes a run with these settings: where they differ from those that it has by itself."""
    with initialize_config_module("lemmata.conf", version_base="1.3"):
        usual = OmegaConf.to_container(compose("cotrain"), resolve=True)
    own = {key: value for key, value in config.items() if key not in {"command", "run", "seed"}}
    return " ".join(["lemmata cotrain", f"seed={config['seed']}", *_changes(own, usual, "")])


def _changes(own: Any, usual: Any, at: str) -> Iterator[str]:
    if isinstance(own, dict) and isinstance(usual, dict):
        for key, value in own.items():
            yield from _changes(value, usual.get(key), f"{at}.{key}" if at else key)
    elif own != usual and not at.endswith(MACHINE):
        yield f"{at}={json.dumps(own)}"


def _tables(report: str) -> str:
    """A report from its explanation to its main tables, its headings one level down."""
    text = report[report.index("Shares are in percent") :].partition("## Every model")[0].rstrip()
    return re.sub("^#", "##", text, flags=re.MULTILINE)


def with_recipe(card: str, manifest: Mapping[str, Any], step: str, figures: Path) -> str:
    """The card of the saved model, extended; it is then nobody's to overwrite."""
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
        "right ones at the rates below. Nothing it says of other mathematics means anything.",
        "",
        "## Figures, on theorems that no training saw",
        "",
        f"Of all models of the run; this one is `{step}` where single models have rows.",
        "",
        _tables(figures.read_text(encoding="utf-8")) if figures.is_file() else "Not measured.",
    ]
    return card.replace(GENERATED + "\n", "").rstrip("\n") + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
