"""Makes a generator of `lemmata cotrain` the default model: weights, tokenizer, domain, and a card with its figures.

    python scripts/ship_model.py RUN [STEP]

STEP is the generator of the last iteration where it is not given. The figures are those of `lemmata report RUN`.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from model.card import OURS

TARGET = Path(__file__).parents[1] / "model" / "shipped"
LARGEST = 16 * 10**6  # bytes in the repository


def main() -> None:
    """Copy the model and write what belongs to it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run of `lemmata cotrain`")
    parser.add_argument("step", nargs="?", help="name of the step whose model is shipped")
    args = parser.parse_args()
    manifest = yaml.safe_load((args.run / "run.yaml").read_text(encoding="utf-8"))
    step = args.step or max(path.parent.name for path in (args.run / "steps").glob("*-generator/done"))
    source = args.run / "steps" / step / "model"
    size = sum(path.stat().st_size for path in source.iterdir())
    if size > LARGEST:
        raise SystemExit(f"{source} has {size:,} bytes; at most {LARGEST:,} may be shipped")
    TARGET.mkdir(exist_ok=True)
    for path in source.iterdir():
        shutil.copy2(path, TARGET / path.name)
    data = manifest["config"]["train"]["data"]
    domain = {"families": data["families"], "levels": data["levels"], "prompts": "lab"}
    (TARGET / "domain.json").write_text(json.dumps(domain) + "\n", encoding="utf-8")
    card = TARGET / "README.md"
    figures = args.run / "report" / "report.md"
    card.write_text(with_recipe(card.read_text(encoding="utf-8"), manifest, step, figures), encoding="utf-8")
    print(f"{TARGET}: {step} of {args.run.name}, {size:,} bytes")


def with_recipe(card: str, manifest: dict[str, Any], step: str, figures: Path) -> str:
    """The card of the saved model, extended; it is then nobody's to overwrite."""
    config = manifest["config"]
    data = config["train"]["data"]
    lines = [
        "",
        "## How it was made",
        "",
        f"Step `{step}` of `lemmata cotrain seed={config['seed']}` at commit {manifest['commit']} (docs/recipe.md):",
        "trained from scratch on theorems of the lab, and on nothing else.",
        "",
        f"- Families {', '.join(data['families'])}; levels {', '.join(map(str, data['levels']))}.",
        "- Labels of the first iteration are exact; the prover's reward is the trained verifier's score throughout.",
        "",
        "## Limits",
        "",
        "It knows the language of the lab and statements of these families alone. It accepts wrong proofs and doubts",
        "right ones at the rates below. Nothing it says of other mathematics means anything.",
        "",
        "## Figures, on theorems that no training saw",
        "",
        figures.read_text(encoding="utf-8") if figures.is_file() else "Not measured.",
    ]
    return card.replace(OURS + "\n", "").rstrip("\n") + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
