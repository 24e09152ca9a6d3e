"""Write the pages: the checker's own modules in a zip, the page and its worker, and where Pyodide is.

The page runs Python in the reader's own browser (Pyodide, with NumPy). Pyodide comes from a folder
that is copied beside the page, or from an address that the page names and pins.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import urlsplit

from normlab.errors import OptionError, RecordsError
from normlab.files import write_atomically

PYODIDE = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/"
"""Where Pyodide's makers publish the release that the pages were tried with."""
RUNTIME = (
    "pyodide.js",
    "pyodide.asm.js",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)
CHECKER = ("__init__.py", "errors.py", "typing.py", "checker")
LEFT_OUT = ("grading", "__pycache__", "magic.py")
STAMP = "@@VERSION@@"


def build(out: str | os.PathLike[str], pyodide: str | None = None) -> Path:
    """Write the site to the folder `out`, made if it is missing; the path of its first page.

    `pyodide` is a folder with Pyodide's files and NumPy's wheel, which is copied, or the address
    that the page takes them from; by default that of Pyodide's makers. Raises OptionError for a
    folder that is none of Pyodide's, and RecordsError where the site cannot be written.
    """
    folder = Path(out)
    address = pyodide or PYODIDE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if "://" not in address:
            _copy_pyodide(Path(address), folder / "pyodide")
            address = "./pyodide/"
        elif urlsplit(address).scheme not in ("http", "https"):
            raise OptionError(f"--pyodide {address} is neither a folder nor an http address")
        archive = checker_zip()
        version = hashlib.sha256(archive).hexdigest()[:12]
        write_atomically(folder / "checker.zip", archive)
        for page in resources.files("normlab.site").joinpath("static").iterdir():
            if not page.is_file():  # the bytecode that installing leaves beside it
                continue
            text = page.read_text("utf-8").replace(STAMP, version)
            write_atomically(folder / page.name, _addressed(text, address).encode())
        write_atomically(
            folder / "settings.json", json.dumps({"pyodide": address, "version": version}).encode()
        )
    except OSError as error:
        raise RecordsError(
            f"the site cannot be written to {folder}: {error.strerror}; name another folder"
        ) from error
    return folder / "index.html"


def checker_zip() -> bytes:
    """The checker's modules, as an archive whose bytes depend on nothing but them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(_modules()):
            archive.writestr(
                zipfile.ZipInfo(f"normlab/{name}", (1980, 1, 1, 0, 0, 0)),
                text,
                zipfile.ZIP_DEFLATED,
                9,
            )
    return content.getvalue()


def _modules() -> list[tuple[str, bytes]]:
    root = resources.files("normlab")
    found: list[tuple[str, bytes]] = []

    def add(place: Traversable, name: str) -> None:
        if place.name in LEFT_OUT:
            return
        if place.is_dir():
            for inside in place.iterdir():
                add(inside, f"{name}/{inside.name}")
        elif place.name.endswith((".py", ".j2")):
            found.append((name, place.read_bytes()))

    for name in CHECKER:
        add(root.joinpath(name), name)
    return found


def _addressed(text: str, address: str) -> str:
    """A page that may fetch from its own place and from Pyodide's, and from nowhere else."""
    parts = urlsplit(address)
    origin = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return text.replace(" @@PYODIDE_ORIGIN@@", origin)


def _copy_pyodide(source: Path, target: Path) -> None:
    wheels = sorted(source.glob("numpy-*wasm32.whl")) if source.is_dir() else []
    missing = [name for name in RUNTIME if not (source / name).is_file()] + (
        [] if wheels else ["numpy-…wasm32.whl"]
    )
    if missing:
        raise OptionError(
            f"{source} is no folder of Pyodide: {', '.join(missing)} is missing; give a folder "
            "with the files of npm's pyodide and NumPy's wheel for it"
        )
    lock = json.loads((source / "pyodide-lock.json").read_text("utf-8"))
    wheel, expected = wheels[0], lock["packages"]["numpy"]
    if wheel.name != expected["file_name"] or _sha256(wheel) != expected["sha256"]:
        raise OptionError(
            f"{wheel} is not the NumPy of this Pyodide, which is {expected['file_name']}"
        )
    target.mkdir(exist_ok=True)
    for name in (*RUNTIME, wheel.name):
        shutil.copyfile(source / name, target / name)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def version_of(page: str) -> str:
    """The version that a written page names."""
    found = re.search(r'data-version="(\w+)"', page)
    return found[1] if found else ""
