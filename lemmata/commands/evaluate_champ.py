"""``lemmata evaluate champ``: the marked solutions of CHAMP as a run, for a verifier to be measured on."""

from contextlib import closing
from typing import Any

from core.config import STRICT, Name, read_part, settings
from core.store import Run
from evaluation.champ import champ_file, read_champ
from lemmata.report import report


@settings(frozen=True, config=STRICT)
class ChampConfig:
    """``run`` is the folder to make."""

    run: Name


def evaluate_champ_command(config: dict[str, Any]) -> int:
    """Make the run."""
    place = read_part(ChampConfig, config)
    path = champ_file()
    with Run.start(place.run, "import", config, frozenset(["run"])) as run:
        for problem, records in read_champ(path):
            with closing(run.log(problem)) as log:
                log.append([record for record in records if record.id not in log])
        report(run)
    return 0
