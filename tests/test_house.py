"""The package as a whole: what its floors forbid, what is public, what ships, what the core loads.

The floors themselves, the linter and the type checker are run by .ci/run, beside the tests.
"""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import normlab

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "normlab"
HEAVY = (
    "numba",
    "scipy",
    "altair",
    "vl_convert",
    "matplotlib",
    "onnx",
    "torch",
    "jax",
    "pooch",
    "joblib",
    "rich",
    "typer",
)


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_every_module_has_its_floor_and_architecture_shows_the_same_floors():
    config = (ROOT / ".importlinter").read_text()
    listed = config.partition("layers =\n")[2].partition("\n#")[0]
    floors = [
        {name.removeprefix("normlab.") for name in line.split() if name != "|"}
        for line in listed.splitlines()
    ]
    modules = {path.stem for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    modules |= {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    assert set.union(*floors) == modules | {"cs682"}
    page = (ROOT / "ARCHITECTURE.md").read_text()
    table = page.partition("top floor first")[2].partition("\n\n")[0].splitlines()[2:]
    shown = [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table]
    assert shown == floors


def test_an_import_that_climbs_a_floor_is_noticed(tmp_path):
    """The contracts can fail: a layer that imports the nets breaks them."""
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    import shutil

    shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    shutil.copy(ROOT / ".importlinter", tmp_path)
    with open(tmp_path / "src" / "normlab" / "layers" / "relu.py", "a") as file:
        file.write("\nfrom normlab import nets\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'src')!r}); "
        f"from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "normlab.layers is not allowed to import normlab.nets" in done.stdout


def test_what_ships_is_the_product_alone():
    """The packages that the wheel would hold; everything that proves them lies outside of src/."""
    setuptools = pytest.importorskip("setuptools", reason="setuptools is not installed")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    (where,) = settings["packages"]["find"]["where"]
    packages = setuptools.find_namespace_packages(str(ROOT / where))
    assert {name.partition(".")[0] for name in packages if ".egg-info" not in name} == {
        "normlab",
        "cs682",
    }
    files = [path.relative_to(SOURCE).parts for path in SOURCE.rglob("*.py")]
    proving = {"proof", "benchmark", "conformance", "hostile", "tests"}
    assert not [parts for parts in files if proving & set(parts)]


def test_the_public_names_are_what_type_checkers_see_and_each_is_there():
    """One list, in three forms: `__all__`, the imports that mypy and editors read, and what is loaded."""
    assert normlab.__all__ == sorted(
        set(normlab.__all__), key=lambda name: (name.lower() == name, name)
    )
    typed = next(
        node
        for node in ast.parse(Path(normlab.__file__).read_text()).body
        if isinstance(node, ast.If)
    )
    imports = [(node.module, alias.name) for node in typed.body for alias in node.names]
    assert sorted(name for _, name in imports) == sorted(normlab.__all__)
    for module, name in imports:
        home = importlib.import_module(module if module != "normlab" else f"normlab.{name}")
        assert getattr(normlab, name) is (home if module == "normlab" else getattr(home, name))
    assert set(normlab.__all__) <= set(dir(normlab))


def test_a_name_that_is_not_public_is_refused():
    assert (
        run_python("import normlab; print(normlab.layers.relu_forward.__name__)").strip()
        == "relu_forward"
    )
    with pytest.raises(AttributeError, match="no attribute 'layer'"):
        _ = normlab.layer
    with pytest.raises(AttributeError, match="no attribute 'annotated'"):
        _ = normlab.annotated


def test_importing_the_checker_loads_numpy_and_the_standard_library_only():
    """So that it runs in a browser, where most of the others, sqlite3 among them, do not exist."""
    loaded = run_python(
        """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ("sqlite3", "_sqlite3", "joblib", "threadpoolctl", "safetensors", "numba", "scipy", "pooch"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Blocked())
import normlab.checker
packages = {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print(*packages - set(sys.stdlib_module_names))
"""
    )
    assert set(loaded.split()) <= {"normlab", "numpy", "__main__", "_distutils_hack"}


@pytest.mark.parametrize("package", ["layers", "nets", "data"])
def test_every_name_in_a_package_s_window_exists(package):
    module = importlib.import_module(f"normlab.{package}")
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert hasattr(module, name)


@pytest.mark.parametrize(
    "core", ["layers", "nets", "solver", "optim", "gradcheck", "specs", "data", "randomness"]
)
def test_the_core_loads_no_heavy_guest(core):
    loaded = run_python(
        f"import sys, normlab.{core}; print(*sorted(m.split('.')[0] for m in sys.modules))"
    ).split()
    assert not set(HEAVY) & set(loaded)


def test_importing_normlab_and_the_assignment_s_names_loads_no_heavy_guest():
    loaded = run_python(
        "import sys, normlab, cs682.layers, cs682.solver, cs682.classifiers.fc_net, cs682.data_utils, cs682.optim; "
        "print(*sorted(m.split('.')[0] for m in sys.modules))"
    ).split()
    assert not set(HEAVY) & set(loaded)


def test_every_module_says_what_it_is():
    for path in [*SOURCE.rglob("*.py"), *(ROOT / "src" / "cs682").rglob("*.py")]:
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


def test_every_module_can_be_imported():
    for module in pkgutil.walk_packages(normlab.__path__, "normlab."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
