"""Prompt templates, filled in one pass so that an inserted proof cannot act on its own prompt."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import count
from pathlib import Path

from core.errors import LemmataError
from core.ids import digest

# Each template with the placeholders that it cannot do without. The names are those of DeepSeekMath-V2's files.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "proof_generation": ("question",),
    "proof_verification": ("statement", "proof"),
    "meta_verification": ("statement", "proof", "rating"),
    "proof_refinement": ("instruction", "proofs_to_refine"),
    "proof_comparison": ("statement", "proof_a", "proof_b"),
}


@dataclass(frozen=True, slots=True)
class Templates:
    """The prompt texts, by name; `load` reads and checks them. Those of the lab hold no ``proof_comparison``.

    ``fenced``: proofs to refine stand between lines that nothing in them can imitate; else under plain headings, for
    texts that an exact checker judges in the end.
    """

    texts: Mapping[str, str]
    fenced: bool = True

    @classmethod
    def load(cls, folder: str | None = None) -> "Templates":
        """The texts of core/prompts, each replaced by ``<name>.txt`` of ``folder`` where that file exists.

        Raises LemmataError for a folder that is missing or holds none of the files, and for a file that is not
        UTF-8 or lacks a placeholder.
        """
        packaged = resources.files("core").joinpath("prompts")
        texts = {name: packaged.joinpath(f"{name}.txt").read_text(encoding="utf-8") for name in REQUIRED}
        return cls(texts | _read_folder(Path(folder)) if folder else texts)

    @classmethod
    def plain(cls) -> "Templates":
        """The short texts of core/prompts/plain for small models: without markers, which these copy.

        A proof is not kept apart by lines that it can't imitate, so these are for proofs that nobody has tampered with.
        """
        folder = resources.files("core").joinpath("prompts", "plain")
        return cls({name: folder.joinpath(f"{name}.txt").read_text(encoding="utf-8") for name in REQUIRED}, False)

    def proof(self, statement: str) -> str:
        """The prompt for a proof of ``statement``."""
        return self._fill("proof_generation", question=statement)

    def verification(self, statement: str, proof: str) -> str:
        """The prompt for an analysis of ``proof``."""
        return self._fill("proof_verification", statement=statement, proof=proof)

    def meta_verification(self, statement: str, proof: str, analysis: str) -> str:
        """The prompt for a review of ``analysis``."""
        return self._fill("meta_verification", statement=statement, proof=proof, rating=analysis)

    def refinement(self, statement: str, candidates: Sequence[tuple[str, Sequence[str]]]) -> str:
        """The prompt for a better proof than ``candidates``, each a proof with its analyses."""
        fence = make_fence(statement, *(text for proof, analyses in candidates for text in (proof, *analyses)))
        blocks = [
            block
            for number, candidate in enumerate(candidates, 1)
            for block in (_blocks(number, *candidate, fence) if self.fenced else _headed(*candidate))
        ]
        candidates_text = ("\n\n" if self.fenced else "\n").join(blocks)
        values = {"instruction": self.proof(statement), "proofs_to_refine": candidates_text, "fence": fence}
        return fill(self.texts["proof_refinement"], values)

    def comparison(self, statement: str, first: str, second: str) -> str:
        """The prompt for the choice between two proofs, ``first`` as A and ``second`` as B."""
        return self._fill("proof_comparison", statement=statement, proof_a=first, proof_b=second)

    def identity(self, name: str) -> str:
        """``name@digest``: what a record keeps of the template that its prompt came from."""
        return f"{name}@{digest(self.texts[name], length=8)}"

    def _fill(self, name: str, **values: str) -> str:
        return fill(self.texts[name], values | {"fence": make_fence(*values.values())})


def fill(template: str, values: Mapping[str, str]) -> str:
    """``template`` with each ``{name}`` of ``values`` replaced, in one pass; inserted text is not scanned again.

    Doubled braces become single. Other braces stay: mathematics such as ``\\boxed{...}`` needs no doubling.
    """
    return "".join(values[piece] if inserted else piece for inserted, piece in _pieces(template, values))


def make_fence(*texts: str) -> str:
    """A marker that none of ``texts`` contains, the same one for the same texts."""
    markers = (digest(*texts, number, length=12) for number in count())
    return next(marker for marker in markers if not any(marker in text for text in texts))


def _pieces(template: str, names: Mapping[str, str] | Sequence[str]) -> Iterator[tuple[bool, str]]:
    """``template`` in pieces: (True, placeholder name) or (False, text to stand as it is)."""
    doubled: list[bool] = []  # for each brace still open: was it written twice?
    for match in re.finditer(rf"\{{({'|'.join(names)})\}}|\{{\{{?|\}}+|[^{{}}]+", template):
        token = match[0]
        if match[1]:
            yield True, match[1]
        elif token[0] == "{":
            doubled.append(token == "{{")
            yield False, "{"
        elif token[0] == "}":
            yield False, "}" * _closings(len(token), doubled)
        else:
            yield False, token


def _closings(run: int, doubled: list[bool]) -> int:
    """The number of braces that a run of ``run`` closing ones stands for.

    Two of them are a doubled one only where none written singly waits to be closed: ``\\boxed{\\frac{1}{2}}`` is
    mathematics and must not lose a brace.
    """
    closed = 0
    while run:
        written_twice = doubled.pop() if doubled else True
        run -= 2 if written_twice and run > 1 else 1
        closed += 1
    return closed


def _blocks(number: int, proof: str, analyses: Sequence[str], fence: str) -> Iterator[str]:
    """A candidate's proof and analyses, each between two lines that carry the fence."""
    titles = [f"proof {number}", *(f"analysis {index} of proof {number}" for index in range(1, len(analyses) + 1))]
    for title, text in zip(titles, (proof, *analyses), strict=True):
        yield f"----- {title} begins {fence} -----\n{text}\n----- {title} ends {fence} -----"


def _headed(proof: str, analyses: Sequence[str]) -> Iterator[str]:
    """A candidate's proof and analyses under plain headings."""
    yield f"Proof:\n{proof}"
    yield from (f"Evaluation:\n{text}" for text in analyses)


def _read_folder(folder: Path) -> dict[str, str]:
    """The templates that a user's folder overrides, checked."""
    if not folder.is_dir():
        raise LemmataError(f"the template folder {folder} is not there: create it, or leave the setting empty")
    files = {name: folder / f"{name}.txt" for name in REQUIRED if (folder / f"{name}.txt").exists()}
    if not files:
        expected = ", ".join(f"{name}.txt" for name in REQUIRED)
        raise LemmataError(f"the template folder {folder} holds no template: name at least one of its files {expected}")
    return {name: read_template(path, REQUIRED[name]) for name, path in files.items()}


def read_template(path: Path, required: Sequence[str]) -> str:
    """The text of a user's template.

    Raises LemmataError where it cannot be read, or lacks a placeholder of ``required``.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LemmataError(f"the template {path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise LemmataError(f"the template {path} can't be read ({error.strerror}): make the file readable") from error
    held = {piece for inserted, piece in _pieces(text, required) if inserted}
    missing = ", ".join(f"{{{name}}}" for name in required if name not in held)
    if missing:
        raise LemmataError(f"the template {path} lacks {missing}: write it, in single braces, where the text belongs")
    return text
