#!/usr/bin/env bash
# Run once, when the service builds its image: a Python of its own with normlab in it.
set -euo pipefail
python=""
for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  apt-get update -qq && apt-get install -y -qq software-properties-common
  apt-get install -y -qq python3.11 python3.11-venv || { echo "normlab needs Python 3.11 or newer" >&2; exit 1; }
  python=python3.11
fi
"$python" -m venv /autograder/normlab || { apt-get install -y -qq "$(basename "$python")-venv"; "$python" -m venv /autograder/normlab; }
/autograder/normlab/bin/pip install -q "@@NORMLAB@@"
/autograder/normlab/bin/normlab --version
