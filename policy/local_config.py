"""Settings of the in-process policy, and the folder and digest of its weights. Imports no torch."""

from contextlib import suppress
from importlib.util import find_spec
from os import SEEK_END
from pathlib import Path
from typing import Literal

from core.config import STRICT, Name, Positive, settings
from core.errors import LemmataError
from core.ids import digest
from model.engine_config import EngineConfig

PACKAGED = "pkg://"
SHIPPED = f"{PACKAGED}model/shipped"
EDGE = 1 << 16  # bytes

Dtype = Literal["float32", "bfloat16", "float16"]


@settings(frozen=True, config=STRICT)
class LocalConfig:
    """``model`` is the folder of a DSA model with its tokenizer, ``pkg://PACKAGE/FOLDER`` one inside an installed
    package. ``thinking``: answers begin with reasoning.
    """

    model: Name
    dtype: Dtype
    device: Name
    thinking: bool
    concurrency: Positive
    samples_per_request: Positive
    engine: EngineConfig

    @property
    def folder(self) -> Path:
        """The folder of the model. Raises LemmataError for a package that is not installed."""
        return model_folder(self.model)


def model_folder(model: str) -> Path:
    """The folder that ``model`` names. A package is located without importing it, because that may load torch."""
    if not model.startswith(PACKAGED):
        return Path(model)
    package, _, inside = model.removeprefix(PACKAGED).partition("/")
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise LemmataError(f"{model}: no package {package!r} is installed")
    return Path(spec.submodule_search_locations[0]) / inside


def weights_digest(folder: Path) -> str:
    """A digest of the weights in a folder: of the files' names, sizes, first and last bytes.

    Without readable weights it is the digest of nothing; loading them then reports the error.
    """
    parts: list[str | int] = []
    with suppress(OSError):
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb") as file:
                size = file.seek(0, SEEK_END)
                for start in (0, max(0, size - EDGE)):
                    file.seek(start)
                    parts += [path.name, size, file.read(EDGE).hex()]
    return digest(*parts, length=8)
