"""Fuzz one reader with atheris, which follows the code that an input reaches. No part of the test suite.

    python tests/fuzz/coverage_guided.py batch -max_total_time=120

The readers are those of `proof.fuzzing`; what follows the name are options of libFuzzer. The first
crash ends it, with the input in a file `crash-…`. Needs atheris and Linux or macOS.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path


def as_word(word: bytes) -> str:
    """A line of libFuzzer's dictionary; it takes no long words."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word[:60]) + '"\n'


def main() -> None:
    """Fuzz the reader that the first argument names, from its whole files and words."""
    import atheris  # here, so that the test suite may import this file without it

    with atheris.instrument_imports(include=["normlab", "json", "nbformat"]):
        from proof import fuzzing

    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in fuzzing.targets():
        sys.exit(f"name a reader: {', '.join(fuzzing.targets())}")
    target = fuzzing.TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        crashes = Path.cwd()
        os.chdir(folder)
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, content in enumerate(target.seeds()):
            (corpus / str(number)).write_bytes(content)
        words = Path(folder, "words")
        words.write_text("".join(map(as_word, target.words)))

        def one(content: bytes) -> None:
            with contextlib.suppress(*fuzzing.DOCUMENTED):
                target.read(content)

        options = [
            f"-dict={words}",
            "-timeout=5",
            "-rss_limit_mb=1000",
            "-max_len=100000",
            f"-artifact_prefix={crashes}/",
        ]
        atheris.Setup([sys.argv[0], *options, *sys.argv[2:], str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
