"""Writer of docs/reference/public-models.md: what loading or converting each of a list of published models gives.

``python -m docs.scripts.public_models`` writes the page from the ``config.json`` fields in ``public_models.json``.
"""

import json
import textwrap
from pathlib import Path
from typing import Any

from kernels.dispatch import LARGEST_LATENT
from model.config import ModelConfig
from model.config_json import config_from_json
from model.convert.gqa import converted_config
from model.convert.source import source_from_json
from model.errors import ModelError

CONFIGS = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).resolve().parents[1] / "reference" / "public-models.md"
WIDTH = 150
INDEX = {"index_n_heads": 8, "index_head_dim": 128, "index_topk": 2048}
OPENING = """\
# Published models

Written by `python -m docs.scripts.public_models` from fields of the models' published `config.json` files
(`docs/scripts/public_models.json`; of types that are refused, some fields only). They are from memory, and `compared
with` names what they were compared with on 2026-11-30; where it is empty, nothing was found. `loads`:
`load_pretrained` and `lemmata serve` take the checkpoint as it is. `converts`: `python -m model.convert gqa` does
([guide](../guides/conversion.md)), here with indexers of 8 heads of width 128. Other models are refused with the
messages below.

Entries per token are those of the cache in one layer, latent with rope key, without the indexer's key. The GPU
kernels take latents of up to {largest} entries; a model with a wider one runs on the torch reference.

| model | type | result | latent | entries per token | GPU kernels | compared with |
|---|---|---|---|---|---|---|
"""


def outcome(config: dict[str, Any]) -> tuple[str, ModelConfig | None, str]:
    """Returns ``loads``, ``converts`` or ``refused``, the configuration of the DSA model if any, and the message."""
    if "kv_lora_rank" in config:
        try:
            return "loads", config_from_json(config), ""
        except ModelError as error:
            return "refused", None, str(error)
    try:
        return "converts", converted_config(source_from_json(config), **INDEX), ""
    except ModelError as error:
        return "refused", None, str(error)


def page() -> str:
    """Returns the text of the page."""
    rows, messages = [], []
    for name, entry in json.loads(CONFIGS.read_text(encoding="utf-8")).items():
        config = entry["config"]
        result, own, message = outcome(config)
        sizes = "| |" if own is None else f"{own.kv_lora_rank:,} | {own.cache_width:,} | {_kernels(own)}"
        rows.append(f"| {name} | `{config['model_type']}` | {result} | {sizes} | {entry['checked'] or ''} |")
        if message:
            messages += textwrap.wrap(f"- {name}: {message}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    table = OPENING.replace("{largest}", str(LARGEST_LATENT)) + "\n".join(rows)
    return table + "\n\n## Messages\n\n" + "\n".join(messages) + "\n"


def _kernels(config: ModelConfig) -> str:
    return "yes" if config.kv_lora_rank <= LARGEST_LATENT else "no"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
