"""Compile the engine ahead of time: `NORMLAB_ISA=x86-64-v3 python -m normlab.engines.build FOLDER`.

Numba makes LLVM's code of the Python sources; here it is made one module that exports two functions
and keeps all else to itself, so that LLVM sees that nothing in it raises an error and drops what
would report one to Python. What is left needs no more than `memset` and `memcpy`. It is compiled
for an instruction set, not for the processor at hand, and linked by `cc`, or by the `ziglang`
package. The folder then holds engine.so, or, where nothing links, engine.o.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from llvmlite import binding

from normlab.engines import interface
from normlab.engines.processor import ISA

CPUS = {"aarch64": "generic"}  # LLVM's name, where it is not ours


def object_code(cpu: str) -> bytes:
    """The object file of the engine's functions for a processor by LLVM's name.

    Tiles are those of this process's instruction set; a narrower processor computes the same with
    what registers it has.
    """
    functions = interface.compiled()
    texts = [function._library.get_llvm_str() for function in functions.values()]
    module = binding.parse_assembly(texts[0])
    for text in texts[1:]:
        module.link_in(binding.parse_assembly(text))
    names = {function.native_name: name for name, function in functions.items()}
    for function in module.functions:
        if function.name in names:
            function.name = names[function.name]
        elif not function.is_declaration:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=CPUS.get(cpu, cpu), features="", opt=3, reloc="pic", codemodel="default"
    )
    options = binding.create_pipeline_tuning_options(speed_level=3)
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def link(source: Path, target: Path) -> bool:
    """Make a shared library of an object file; False where nothing here can."""
    linkers = [[found] for name in ("cc", "gcc", "clang") if (found := shutil.which(name))]
    if importlib.util.find_spec("ziglang") is not None:
        linkers.append([sys.executable, "-m", "ziglang", "cc"])
    for linker in linkers:
        # no library of C is named: memset and memcpy are those of the process that loads it
        command = [*linker, "-shared", "-nostdlib", "-o", str(target), str(source)]
        try:
            ended = subprocess.run(command, capture_output=True, check=False)
        except OSError:
            continue
        if ended.returncode == 0 and target.is_file():
            return True
    return False


def main() -> None:
    """Read the command line and make the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--object", action="store_true", help="do not link")
    parser.add_argument("--cpu", default=ISA, help="compile the same for this processor")
    arguments = parser.parse_args()
    source = arguments.folder / "engine.o"
    source.write_bytes(object_code(arguments.cpu))
    if not arguments.object:
        link(source, arguments.folder / "engine.so")


if __name__ == "__main__":
    main()
