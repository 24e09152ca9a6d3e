"""What an instructor uploads to a service: the grader, its rubric and normlab itself in one archive."""

from __future__ import annotations

import importlib.metadata
import io
import zipfile
from importlib import resources
from pathlib import Path

from normlab.checker.grading.rubric import Rubric
from normlab.errors import OptionError, not_one_of

SERVICES = ("gradescope", "github")
_EPOCH = (2020, 1, 1, 0, 0, 0)


def pack(service: str, rubric: Path | None = None, wheel: Path | None = None) -> bytes:
    """The archive for a service, or for 'github' the workflow file.

    Arguments:
        rubric: points and hints as for `grade`; it is read, so that what is wrong with it is said
            now.
        wheel: normlab's wheel, as `pip wheel --no-deps .` makes it; it goes into the archive.
            Without it the service installs this version from its package index.

    Raises OptionError for another service and for a wheel that is none of normlab's, and what
    reading a rubric raises.
    """
    if service not in SERVICES:
        raise not_one_of("service", service, SERVICES)
    text = "[points]\n" if rubric is None else rubric.read_text("utf-8")
    points = Rubric() if rubric is None else Rubric.read(rubric)
    if wheel is not None and not (wheel.name.startswith("normlab-") and wheel.suffix == ".whl"):
        raise OptionError(
            f"--wheel {wheel} is no wheel of normlab; make one with  pip wheel --no-deps -w dist ."
        )
    version = importlib.metadata.version("normlab")
    if service == "github":
        return _template("github-workflow.yml").replace("@@VERSION@@", version).encode()
    wanted = f"normlab=={version}" if wheel is None else f"/autograder/source/{wheel.name}"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(
            archive,
            "setup.sh",
            _template("setup.sh").replace("@@NORMLAB@@", wanted).encode(),
            executable=True,
        )
        _add(archive, "run_autograder", _template("run_autograder").encode(), executable=True)
        if rubric is None:
            text += "".join(f"{name} = {most:g}\n" for name, most in points.points.items())
        _add(archive, "rubric.toml", text.encode())
        if wheel is not None:
            _add(archive, wheel.name, wheel.read_bytes())
    return content.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes, executable: bool = False) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = (0o755 if executable else 0o644) << 16
    archive.writestr(info, data, zipfile.ZIP_DEFLATED)


def _template(name: str) -> str:
    return resources.files("normlab.checker").joinpath("templates", name).read_text("utf-8")
