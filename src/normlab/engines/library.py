"""Where the compiled engine's functions come from: a library that is ready-made, or one made here.

The package brings a library for an instruction set, or two, if it was installed from a wheel that
has them or built with Numba at hand. Where none fits this processor or these sources, Numba makes
one in another process, once for all of them: it is kept in a cache folder, whose files are checked
before they are used, so that whatever is missing, cut or from elsewhere is made anew. Where there
is no linker, the compiler's own loader takes what the compiler made. Nothing here imports Numba.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from normlab.engines.processor import ISA, VARIABLE, instruction_set
from normlab.errors import UserError
from normlab.files import write_atomically

VERSION = 2
"""Of the engine's arithmetic: it moves when the same run would have other bits than before."""

SOURCES = (
    "accuracy", "activations", "arithmetic", "build", "columns", "compiling", "functions",
    "interface", "layout", "passes", "processor", "products", "rows", "table", "tiles",
    "training", "../lanes", "../optim",
)  # fmt: skip
"""The modules that a library is made of: what the compiler reads."""

PACKAGED = Path(__file__).parent / "lib"
KEPT = 8
NAME = "normlab-{isa}-{sources}-{content}.{kind}"


class LibraryError(UserError, RuntimeError):
    """There is no library for this machine, and none can be made; the message says why."""


class Functions(NamedTuple):
    """The engine's functions, each of the address of a table, and where they come from."""

    train_steps: Callable[[int], None]
    count_right: Callable[[int], int]
    pass_32: Callable[[int], None]
    pass_64: Callable[[int], None]
    isa: str
    digest: str
    origin: str  # 'ready-made', or how they were made here


@functools.cache
def sources_digest() -> str:
    """Of the text that a library is made of: another text, another library."""
    found = hashlib.sha256()
    for name in SOURCES:
        found.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return found.hexdigest()[:12]


@functools.cache
def why_not() -> str | None:
    """Why there are no functions here, and none can be made; None where there are.

    The first call on a machine that has none yet takes half a minute: it makes them.
    """
    try:
        functions()
    except LibraryError as error:
        return str(error)
    return None


@functools.cache
def functions() -> Functions:
    """The functions for this processor. Raises LibraryError where there are none."""
    isa = instruction_set()
    if isa is None:
        raise LibraryError(
            "the processor has neither AVX2 with fused multiply-add nor is it a 64-bit Arm"
        )
    found = _find(PACKAGED, isa)
    if found is not None:
        with contextlib.suppress(OSError):  # it was made for another system
            return _load(found, isa, "ready-made")
    if importlib.util.find_spec("numba") is None:
        raise LibraryError(
            "no ready-made library for this processor is installed, and Numba, which would make "
            "one, is not either: pip install numba"
        )
    return _made_here(isa)


def describe() -> str:
    """Which functions run here, in words."""
    found = functions()
    return f"{found.isa} library {found.digest}, {found.origin}, arithmetic version {VERSION}"


def _find(folder: Path, isa: str) -> Path | None:
    """A library of these sources in the folder, whole as it was written."""
    pattern = NAME.format(isa=isa, sources=sources_digest(), content="*", kind="*")
    with contextlib.suppress(OSError):
        for path in sorted(folder.glob(pattern), reverse=True):
            if path.suffix in (".so", ".o") and path.stem.endswith(_digest(path.read_bytes())):
                return path
    return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _load(path: Path, isa: str, origin: str) -> Functions:
    content = path.read_bytes()
    if path.suffix == ".so":
        library = ctypes.CDLL(str(path))
        _loaded.append(library)
        places = {
            name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
            for name in EXPORTED
        }
    else:
        places = _load_object(content)
    return of_addresses(places, origin, isa, _digest(content))


def of_addresses(
    places: dict[str, int], origin: str, isa: str = ISA, digest: str = ""
) -> Functions:
    """Functions whose code lies at these addresses."""
    found = {
        name: ctypes.CFUNCTYPE(ctypes.c_int64 if name == "count_right" else None, ctypes.c_void_p)(
            places[name]
        )
        for name in EXPORTED
    }
    return Functions(**found, isa=isa, digest=digest, origin=origin)


def _load_object(content: bytes) -> dict[str, int]:
    """Where the functions of an object file are, by the compiler's own loader: no linker is needed."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(content))
    engine.finalize_object()
    _loaded.append(engine)
    return {name: engine.get_function_address(name) for name in EXPORTED}


EXPORTED = Functions._fields[: Functions._fields.index("isa")]
_loaded: list[Any] = []  # code lives as long as what loaded it


def _made_here(isa: str) -> Functions:
    """The functions from the first cache folder that has them or can keep them."""
    reasons = []
    for folder in _folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone(folder / f"{isa}-{sources_digest()}.lock"):
                found = _find(folder, isa) or make(isa, folder)
            return _load(found, isa, "made here")
        except OSError as error:
            reasons.append(f"{folder}: {error}")
    raise LibraryError(
        f"a library can be made, but kept nowhere ({'; '.join(reasons)}); make one of these "
        "folders writable, or name another as NORMLAB_CACHE"
    )


def _folders() -> Iterator[Path]:
    """Where a library may be kept: the user's cache folder, and this user's of the temporary ones."""
    if os.environ.get("NORMLAB_CACHE"):
        yield Path(os.environ["NORMLAB_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    with contextlib.suppress(RuntimeError):  # no home
        yield Path(base).expanduser() / "normlab" / "engine"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"normlab-engine-{user}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid():
            yield folder


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time: the others wait, and find the library made."""
    with open(path, "ab") as file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(isa: str, folder: Path, *options: str) -> Path:
    """Make a library for an instruction set and put it into the folder, in a process of its own, so
    that this one stays free of the compiler. Without a linker it is an object file. The options are
    those of `build`.

    Raises LibraryError where the compiler fails, OSError where the folder takes no file.
    """
    # from where this package lies, whatever else the other process would find first
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})"
    code += "; from normlab.engines import build; build.main()"
    command = [sys.executable, "-c", code, *options]
    environment = os.environ | {VARIABLE: isa}
    if sys.stderr is not None and sys.stderr.isatty():
        print(
            "normlab: compiling the engine for this machine, once: half a minute", file=sys.stderr
        )
    with tempfile.TemporaryDirectory(prefix="normlab-") as scratch:
        # a broken cache of Numba's is none of our business: nothing of the build is cached
        environment["NUMBA_CACHE_DIR"] = scratch
        environment["NUMBA_OPT"] = "0"  # `build` optimizes the whole, once
        ended = subprocess.run(
            [*command, scratch], env=environment, capture_output=True, text=True, check=False
        )
        made = [path for path in Path(scratch).glob("engine.*") if path.suffix in (".so", ".o")]
        if ended.returncode != 0 or not made:
            last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise LibraryError(
                f"Numba could not compile a library for {isa}: {last}; reinstall it: "
                f"pip install --force-reinstall numba"
            )
        # a linked library comes first: '.so' sorts behind '.o'
        content, kind = max(made).read_bytes(), max(made).suffix[1:]
    name = NAME.format(isa=isa, sources=sources_digest(), content=_digest(content), kind=kind)
    made_here = write_atomically(folder / name, content)
    _forget_old(folder)
    return made_here


def _forget_old(folder: Path) -> None:
    """Keep the last few libraries: other versions of normlab may use the folder too."""
    with contextlib.suppress(OSError):
        there = sorted(folder.glob("normlab-*.*o"), key=lambda path: path.stat().st_mtime)
        for path in there[:-KEPT]:
            path.unlink(missing_ok=True)


def provenance() -> dict[str, Any]:
    """What made a run, for its record: the arithmetic's version, the instruction set and the library."""
    found = functions()
    return {
        "version": VERSION,
        "instruction_set": found.isa,
        "library": found.digest,
        "origin": found.origin,
    }


def make_all(folder: Path, isas: list[str]) -> None:
    """Linked libraries for these instruction sets, by default this machine's: for an installation.

    Raises LibraryError where nothing links, too.
    """
    for isa in isas or [instruction_set() or "x86-64-v3"]:
        library = make(isa, folder)
        if library.suffix != ".so":
            library.unlink()
            raise LibraryError("nothing links here: no cc, gcc or clang, and no ziglang package")
