"""Studies from outside the catalogue: a Python file that holds one `Study`, and what running it would take."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from normlab.errors import OptionError, UserError
from normlab.specs import DataSpec
from normlab.studies import grid, sampling
from normlab.studies.study import Study
from normlab.sweep import estimated_work

MULTIPLICATIONS_A_SECOND = 2e9
"""Of `estimated_work`, on one core of an ordinary machine with the compiled engine: a rough guide, not a promise."""


def load(path: str | os.PathLike[str]) -> Study:
    """The one study that a Python file holds, under whatever name; or the study that a TOML file describes.

    A Python file is run as any program is: load only what you would run. A TOML file runs nothing.
    Raises OptionError where there is no such file, where it cannot be run, or where it holds no
    study or several.
    """
    file = Path(path)
    try:
        source = file.read_bytes()
    except OSError as error:
        raise OptionError(f"the study file {file} cannot be read: {error.strerror}") from error
    edition = hashlib.sha256(source).hexdigest()
    if file.suffix == ".toml":
        return _from_toml(file, source, edition[:16])
    name = f"normlab_study_{edition[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise OptionError(f"{file} is no Python file; a study file ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a module up by its name
    try:
        spec.loader.exec_module(module)
    except UserError as error:
        raise OptionError(f"{file}: {error}") from error
    except Exception as error:
        raise OptionError(
            f"{file} cannot be run: {type(error).__name__}: {error}; mend the file, and try again"
        ) from error
    _taken_by_value(name)
    studies = [
        each for each in vars(module).values() if isinstance(each, Study) and not _is_imported(each)
    ]
    if len(studies) != 1:
        names = ", ".join(repr(each.name) for each in studies) or "none"
        raise OptionError(f"{file} must hold exactly one Study; it holds {names}")
    return replace(studies[0], edition=edition[:16])


@dataclass(frozen=True)
class Price:
    """What running a study takes, before it is run: nets, and about how long they take one core."""

    nets: int
    at_most: int
    seconds: float
    """For the first look, on one core."""
    problems: tuple[str, ...] = ()
    """What runs but cannot be decided."""


def check(study: Study, data: DataSpec, seeds: int | None = None) -> Price:
    """What running a study on this data would take, without training anything.

    What cannot work at all was refused when the study was made; `problems` are claims that these
    seeds cannot decide.
    """
    from normlab.studies.checking import FEWEST_SEEDS

    numbers = sampling.looks(study, seeds)
    specs = grid.runs(study, data, numbers[0])
    work = sum(map(estimated_work, specs))
    problems = []
    if study.claims and numbers[-1] < FEWEST_SEEDS:
        problems.append(
            f"{numbers[-1]} seeds decide no claim; {FEWEST_SEEDS} are the fewest that can"
        )
    for claim in study.claims:
        if claim.unit == "loss" and FEWEST_SEEDS <= numbers[-1] < 6:
            problems.append(
                f"claim {claim.name!r} is about a loss: where runs diverge, fewer than 6 seeds "
                f"decide nothing"
            )
    at_most = len(specs) // numbers[0] * numbers[-1]
    return Price(len(specs), at_most, work / MULTIPLICATIONS_A_SECOND, tuple(problems))


def _from_toml(file: Path, source: bytes, edition: str) -> Study:
    from normlab.studies.toml_file import study_of

    try:
        return study_of(source.decode(), edition)
    except UnicodeDecodeError as error:
        raise OptionError(f"{file} is not UTF-8 text: {error}") from error
    except UserError as error:
        raise OptionError(f"{file}: {error}") from error
    except TypeError as error:
        raise OptionError(f"{file}: a value has the wrong type: {error}") from error


def template(path: str | os.PathLike[str]) -> Path:
    """Write a commented template, Python or TOML by the name's ending; the path.

    Raises OptionError for another ending, and where the file exists already or cannot be written.
    """
    file = Path(path)
    if file.suffix not in (".py", ".toml"):
        raise OptionError(
            f"{file} ends in neither .py nor .toml; a study is written in one of the two"
        )
    text = (
        resources.files("normlab.studies")
        .joinpath("templates", f"study{file.suffix}")
        .read_text("utf-8")
    )
    try:
        with open(file, "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise OptionError(
            f"{file} exists already and is left as it is; name another file"
        ) from None
    except OSError as error:
        raise OptionError(
            f"{file} cannot be written: {error.strerror}; name a file in a folder that exists"
        ) from error
    return file


def _is_imported(study: Study) -> bool:
    from normlab.studies.catalog import STUDIES

    return any(study is each for each in STUDIES.values())


def _taken_by_value(name: str) -> None:
    """Worker processes cannot import the file by its name: its functions travel to them as they are."""
    import cloudpickle  # what joblib sends work to its processes with

    cloudpickle.register_pickle_by_value(sys.modules[name])
