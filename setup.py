"""What pyproject.toml cannot say: the compiled engine is made when normlab is installed.

With Numba in the build environment and something that links, the wheel brings a library for this
machine's instruction set, and is a wheel for this platform; where that fails, it is a pure wheel,
and the engine is compiled on first use, or the reference engine trains. NORMLAB_BUILD_ISA names
other instruction sets, separated by commas, for a wheel that others are to install; there, failing
is an error.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
ASKED = [isa for isa in os.environ.get("NORMLAB_BUILD_ISA", "").split(",") if isa]
MANYLINUX = "manylinux_2_17_x86_64"  # a library of the engine needs memset, and nothing newer
POSSIBLE = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
# what compiles the engine, and what it imports of the rest; NumPy comes with Numba
NEEDS = ["numba>=0.61", "safetensors>=0.4.5", "threadpoolctl>=3.5"] if POSSIBLE else []
if POSSIBLE and not any(map(shutil.which, ("cc", "gcc", "clang"))):
    NEEDS.append("ziglang>=0.13")


class BuildLibrary(build_py):
    """Build the package, and the engine's library with it."""

    def run(self) -> None:
        super().run()
        if self.editable_mode or not (POSSIBLE or ASKED):
            return
        folder = Path(self.build_lib).resolve() / "normlab" / "engines" / "lib"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("normlab-*"):
            old.unlink()
        code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from pathlib import Path; "
        code += "from normlab.engines import library; "
        code += "library.make_all(Path(sys.argv[1]), sys.argv[2:])"
        command = [sys.executable, "-c", code, str(folder), *ASKED]
        ended = subprocess.run(command, text=True, capture_output=True, check=False)
        print(ended.stdout + ended.stderr)
        if ended.returncode != 0:
            print("normlab: no library of the compiled engine was made; it is made on first use")
            if ASKED:
                raise SystemExit("NORMLAB_BUILD_ISA was given, and its libraries could not be made")


class PlatformWheel(bdist_wheel):
    """A wheel for one platform if there is a library in it, and for any Python 3."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if ASKED and not self.plat_name_supplied:
            self.plat_name, self.plat_name_supplied = MANYLINUX, True

    def run(self) -> None:
        self.run_command("build")
        lib = Path(self.get_finalized_command("build_py").build_lib) / "normlab/engines/lib"
        self.root_is_pure = not any(lib.glob("*.so"))
        self.skip_build = True
        super().run()

    def get_tag(self) -> tuple[str, str, str]:
        tag = super().get_tag()
        return tag if self.root_is_pure else ("py3", "none", tag[2])


setup(
    cmdclass={"build_py": BuildLibrary, "bdist_wheel": PlatformWheel},
    setup_requires=[] if os.environ.get("NORMLAB_NO_LIBRARY") else NEEDS,
)
