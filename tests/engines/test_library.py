"""The engine's library: what it needs, where it is found, and what happens where it cannot be."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from normlab import engines
from normlab.engines import compiling, library, table
from normlab.engines.layout import Blocks, Net, Scratch, State, Steps
from normlab.errors import OptionError
from normlab.specs import NetSpec, RunSpec, TrainingSpec


@pytest.fixture
def whole():
    """A whole library of this machine, as a file."""
    if engines.COMPILED.why_not() is not None:
        pytest.skip(engines.COMPILED.why_not())
    isa = library.instruction_set()
    folders = [library.PACKAGED, *library._folders()]
    found = next((path for folder in folders if (path := library._find(folder, isa))), None)
    if found is None or found.suffix != ".so":
        pytest.skip("this machine has no linked library")
    return found


@pytest.fixture
def fresh(whole, monkeypatch, tmp_path):  # noqa: ARG001  (found before there is none)
    """No library is installed, and the cache folder is an empty one."""
    monkeypatch.setattr(library, "PACKAGED", tmp_path / "none")
    monkeypatch.setattr(library, "functions", library.functions.__wrapped__)
    monkeypatch.setattr(library, "why_not", library.why_not.__wrapped__)
    monkeypatch.setattr(library, "_folders", lambda: iter([tmp_path / "cache"]))
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch, whole):
    """Counts what is made; a copy of the whole library stands for half a minute of compiling."""
    calls = []

    def make(isa, folder, *_):
        calls.append(isa)
        return Path(shutil.copy(whole, folder))

    monkeypatch.setattr(library, "make", make)
    return calls


def test_a_library_needs_nothing_but_memset_and_memcpy(whole):
    """It allocates nothing, raises nothing and never calls into Python: it could not."""
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed")
    ended = subprocess.run(["nm", "-D", str(whole)], capture_output=True, text=True, check=True)
    needed = {line.split()[-1] for line in ended.stdout.splitlines() if " U " in line}
    exported = {line.split()[-1] for line in ended.stdout.splitlines() if " T " in line}
    assert needed <= {"memset", "memcpy", "memmove"}
    assert exported == set(library.EXPORTED)


def test_the_sources_are_all_that_the_compiler_reads():
    pytest.importorskip("numba", reason="Numba is not installed")
    code = (
        "import sys, json, normlab.engines; before = set(sys.modules)\n"
        "import normlab.engines.build\n"
        "print(json.dumps([m for m in set(sys.modules) - before if m.startswith('normlab')]))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    read = {
        name.removeprefix("normlab.engines.").replace("normlab.", "../")
        for name in json.loads(ended.stdout)
    }
    assert read <= set(library.SOURCES)
    assert {"training", "tiles", "../lanes", "arithmetic"} <= read


@pytest.mark.usefixtures("whole")
def test_training_loads_no_compiler():
    code = (
        "import sys, normlab; data = normlab.data.load('digits', num_training=100, "
        "num_validation=50)\nspec = normlab.RunSpec(normlab.NetSpec((5,)), "
        "normlab.TrainingSpec(num_epochs=1), data.spec)\nfrom normlab import engines; "
        "engines.train('compiled', spec, data)\nassert not {'numba', 'llvmlite'} & "
        "set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_is_made_once_and_found_then(fresh, made):
    assert library.functions().origin == "made here"
    again = library.functions()
    assert made == [library.instruction_set()]
    assert again.digest == library._find(fresh, again.isa).stem[-12:]


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign", "of other sources"])
def test_a_damaged_one_is_made_anew(damage, fresh, made, whole):
    fresh.mkdir()
    content = whole.read_bytes()
    name = whole.name
    if damage == "of other sources":
        name = name.replace(library.sources_digest(), "0" * 12)
    damaged = {"empty": b"", "cut": content[:5000], "foreign": b"MZ" + content[2:]}
    (fresh / name).write_bytes(damaged.get(damage, content))
    assert library.functions().origin == "made here"
    assert len(made) == 1


@pytest.mark.usefixtures("fresh", "made")
def test_one_that_is_whole_but_of_another_system_is_passed_over(monkeypatch, tmp_path):
    folder = tmp_path / "installed"
    folder.mkdir()
    content = b"MZ, and so on"
    name = library.NAME.format(
        isa=library.instruction_set(), sources=library.sources_digest(),
        content=library._digest(content), kind="so",
    )  # fmt: skip
    (folder / name).write_bytes(content)
    monkeypatch.setattr(library, "PACKAGED", folder)
    assert library.functions().origin == "made here"


@pytest.mark.usefixtures("fresh")
def test_an_installed_one_needs_no_numba(monkeypatch, whole, tmp_path):
    folder = tmp_path / "installed"
    folder.mkdir()
    shutil.copy(whole, folder)
    monkeypatch.setattr(library, "PACKAGED", folder)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert library.functions().origin == "ready-made"


@pytest.mark.usefixtures("made")
def test_where_a_folder_cannot_be_written_the_next_is_taken(fresh, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(library, "_folders", lambda: iter([blocked / "below", fresh]))
    assert library.functions().origin == "made here"
    monkeypatch.setattr(library, "_folders", lambda: iter([blocked / "below"]))
    assert "kept nowhere" in library.why_not()
    assert str(blocked) in library.why_not()


@pytest.mark.skipif(os.name != "posix", reason="temporary folders of one user are POSIX's")
def test_the_last_folder_is_the_user_s_own_among_the_temporary_ones(monkeypatch, tmp_path):
    monkeypatch.setenv("NORMLAB_CACHE", str(tmp_path / "first"))
    folders = list(library._folders())
    assert folders[0] == tmp_path / "first"
    assert folders[-1].stat().st_uid == os.getuid()
    assert folders[-1].stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("fresh")
def test_without_a_library_or_a_compiler_the_reference_engine_trains_and_says_why(
    monkeypatch, data
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    spec = RunSpec(NetSpec((4,)), TrainingSpec(num_epochs=1, batch_size=40), data.spec)
    assert engines.pick("auto", spec) is engines.REFERENCE
    assert "Numba" in engines.explain_engine(spec)
    with pytest.raises(OptionError, match="Numba"):
        engines.pick("compiled", spec)


@pytest.mark.usefixtures("fresh")
def test_a_compiler_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(library.sys, "executable", shutil.which("false") or "false")
    assert "Numba could not compile" in library.why_not()
    assert engines.pick("auto") is engines.REFERENCE


@pytest.mark.usefixtures("whole")
def test_explain_engine_and_provenance_name_the_library(data):
    spec = RunSpec(NetSpec((4,)), TrainingSpec(num_epochs=1, batch_size=40), data.spec)
    found = library.functions()
    assert found.isa in compiling.explain(spec)
    assert found.digest in compiling.explain(spec)
    named = compiling.COMPILED.provenance()["compiled"]
    assert (named["instruction_set"], named["library"]) == (found.isa, found.digest)
    assert named["version"] == library.VERSION


def test_a_table_is_as_long_as_its_records_and_refuses_what_compiled_code_would_misread():
    blocks = Blocks(np.zeros(3, np.float32), np.zeros(2, np.int64), np.zeros(2))
    assert table.table_of(blocks).tolist()[1::2] == [3, 2, 2]
    assert table.slots(Net, State, Scratch, Steps) > table.slots(Net, State, Scratch)
    for wrong in (np.zeros(3), np.zeros((3, 1), np.float32), np.zeros(6, np.float32)[::2]):
        with pytest.raises(TypeError, match=r"Blocks\.images"):
            table.table_of(blocks._replace(images=wrong))
