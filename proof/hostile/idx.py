"""IDX files, as MNIST has them, whose headers lie, and what is no IDX file at all."""

from __future__ import annotations

import pickle

import numpy as np

from proof.hostile import making
from proof.hostile.gzips import GZIPS, endless_gz

LABELS = np.arange(20) % 10
IDX_LABELS = making.idx(LABELS)
IDX_FILES = {
    "empty": b"",
    "half a header": IDX_LABELS[:6],
    "no content": IDX_LABELS[:8],
    "one label short": IDX_LABELS[:-1],
    "one label more": IDX_LABELS + b"\x00",
    "images, not labels": making.idx(np.zeros((20, 28, 28))),
    "magic of integers": making.idx(LABELS, magic=b"\0\0\x0c\x01"),
    "magic of floats": making.idx(LABELS, magic=b"\0\0\x0d\x01"),
    "little end first": b"\x01\x08\0\0" + IDX_LABELS[4:],
    "announces 21": making.idx(LABELS, announced=[21]),
    "announces 4 billion": making.idx(LABELS, announced=[2**32 - 1]),
    "a web page": b"<html>not found</html>",
    "a pickle": pickle.dumps(LABELS),
    "400 MB of zeros, compressed": endless_gz(IDX_LABELS, 400),
    "truncated, compressed": making.gz(IDX_LABELS)[:-9],
    "wrong checksum, compressed": making.gz(IDX_LABELS)[:-8] + bytes(8),
    **{f"gzip: {what}": content for what, content in GZIPS.items()},
}
