"""The command line: words in, exit code out, one file a verb.

The verbs parse, call one library function, print, and choose the exit code. What a person can mend
is a UserError, caught here and nowhere else: its sentence goes to standard error, and the exit code
is 2.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable


def main() -> None:
    """The program `normlab`."""
    from normlab.cli.app import app

    run(app, "normlab")


def run(app: Callable[..., object], name: str) -> None:
    """Run a command line; what a person can mend becomes a sentence and exit code 2."""
    from normlab.cli.exit_codes import CRASHED, REFUSED
    from normlab.cli.output import fit_any_terminal
    from normlab.errors import UserError

    fit_any_terminal()
    try:
        app(prog_name=name)
    except UserError as error:
        print(f"normlab: {error}", file=sys.stderr)
        raise SystemExit(REFUSED) from error
    except (
        OSError
    ) as error:  # no room, no permission, no handles, where nobody has a better sentence for it
        if error.errno is None:
            raise
        where = f" with {str(error.filename)!r}" if error.filename else ""
        print(
            f"normlab: the system refused to go on{where}: {error.strerror}. Look at permissions, "
            "free space and open files; the same command continues from what its records hold",
            file=sys.stderr,
        )
        raise SystemExit(REFUSED) from error
    except Exception as error:
        traceback.print_exc()
        print(
            f"normlab: this is a mistake of normlab, not yours: {type(error).__name__}. "
            "Please report the lines above",
            file=sys.stderr,
        )
        raise SystemExit(CRASHED) from error
