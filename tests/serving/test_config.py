"""Settings of the engine: one set of names and defaults, read without torch."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from core.config import read_config
from core.errors import LemmataError
from model.engine_config import EngineConfig
from tests.presets import local_config

CONF = Path(__file__).resolve().parents[2] / "lemmata" / "conf"


def test_the_yaml_file_holds_the_defaults_of_the_dataclass() -> None:
    assert yaml.safe_load((CONF / "engine" / "default.yaml").read_text()) == asdict(EngineConfig())
    assert local_config(model="folder").engine == EngineConfig()


@pytest.mark.parametrize(("key", "value"), [("page_size", 0), ("max_num_seqs", -1), ("cache_tokens", 8)])
def test_settings_out_of_range(key: str, value: int) -> None:
    with pytest.raises(LemmataError, match=f"{key}={value}"):
        read_config(EngineConfig, {key: value}, "engine")


def test_reading_the_settings_loads_no_torch() -> None:
    code = "import sys, policy.local_config, serving.config; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
