"""`python -m proof.conformance FOLDER`: run everything, and write the published pages into the folder."""

import sys
from pathlib import Path

from proof.conformance import pages

if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
    sys.exit(
        "expected the folder that takes conformance.md and conformance-skipped.md, usually docs"
    )
pages.write(Path(sys.argv[1]))
