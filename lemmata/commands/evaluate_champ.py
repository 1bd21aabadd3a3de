"""``lemmata evaluate champ``: the annotated solutions of CHAMP as a run, to measure a verifier on."""

from contextlib import closing
from typing import Any

from core.champ import champ_file, read_champ
from core.config import STRICT, Name, read_config, settings
from core.store import Run
from lemmata.run_totals import print_totals


@settings(frozen=True, config=STRICT)
class ChampConfig:
    """Settings of ``lemmata evaluate champ``; ``run`` is the folder to write."""

    run: Name


def evaluate_champ_command(config: dict[str, Any]) -> int:
    """Writes the run."""
    settings = read_config(ChampConfig, config, "")
    path = champ_file()
    with Run.start(settings.run, "import", config, frozenset(["run"])) as run:
        for problem, records in read_champ(path):
            with closing(run.log(problem)) as log:
                log.append([record for record in records if record.id not in log])
        print_totals(run)
    return 0
