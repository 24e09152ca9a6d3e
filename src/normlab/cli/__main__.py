"""`python -m normlab.cli` is `normlab`."""

import os
import sys

# -m puts the current folder first on the path; a file there may be called secrets.py, and be
# somebody else's
if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from normlab.cli import main

main()
