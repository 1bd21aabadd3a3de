"""Installed wheel: its command works, and none of its packages hides another."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree by the declared backend."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_configs_and_prompts_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "lemmata/conf/refine/paper.yaml" in names
    assert "core/prompts/proof_verification.txt" in names
    assert "lab/prompts/proof_verification.txt" in names
    assert "model/chat_template.jinja" in names
    assert "model/shipped/domain.json" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "examples/"))]


def test_the_installed_command_prints_its_config(wheel: Path, tmp_path: Path) -> None:
    # The wheel goes to a new environment; its dependencies are taken from this one, which has them already.
    venv.create(tmp_path / "venv")
    pip = [sys.executable, "-m", "pip", f"--python={tmp_path / 'venv' / 'bin' / 'python'}"]
    subprocess.run([*pip, "install", "-q", "--no-deps", str(wheel)], check=True, capture_output=True)
    own = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    installed = next((tmp_path / "venv").rglob("site-packages"))
    (installed / "dependencies.pth").write_text(f"{own}\n")
    command = [str(tmp_path / "venv" / "bin" / "lemmata"), "refine", "--cfg", "job"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "strategy: search" in done.stdout


def test_transformers_imports_beside_our_kernels() -> None:
    code = "import kernels, transformers; print(kernels.__file__); assert not hasattr(kernels, '__version__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(ROOT / "kernels" / "__init__.py")
