"""The two calls: a net out to a file of another library, and in from one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, cast

from normlab.arguments import explained
from normlab.conversion import keras, onnx, pytorch
from normlab.conversion.bounded import read_whole, write_whole
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.net_parts import Parts, put_together, take_apart
from normlab.errors import OptionError, not_one_of
from normlab.nets import FullyConnectedNet
from normlab.typing import Generator


class Library(Protocol):
    """What a library's module has."""

    TITLE: str
    SUFFIX: str

    def to_bytes(self, parts: Parts, unbiased_for: int | None = None) -> bytes:
        """The content of the file that the library reads."""

    def from_bytes(self, content: bytes, name: str) -> Parts:
        """The net in the content of a file with our label."""

    def snippet(self, parts: Parts, name: str) -> str:
        """Python that builds the net there and loads the file."""


LIBRARIES: dict[str, Library] = {
    "torch": cast(Library, pytorch),
    "keras": cast(Library, keras),
    "onnx": cast(Library, onnx),
}


@explained
def export_net(
    model: Any, path: str | os.PathLike[str], to: str, *, unbiased_for: int | None = None
) -> str:
    """Write a net for 'torch', 'keras' or 'onnx', and return the Python that builds it there and loads the file.

    `model` is a FullyConnectedNet, a TwoLayerNet, or anybody's net of the assignment. In eval mode
    the net gives there what it gives here in test mode, to rounding; `import_net` gives it back to
    the bit. With `unbiased_for`, the batch size N of the training, running variances are multiplied
    by N / (N - 1): PyTorch's own convention, for training on there; eval outputs then change by
    that much.

    Raises OptionError, ShapeError for a net or file name that cannot be, MissingPackageError (onnx,
    h5py), RecordsError where the file cannot be written; whatever is wrong, nothing is left
    half-written.

    >>> import tempfile; from normlab import FullyConnectedNet
    >>> path = tempfile.mkdtemp() + "/net.safetensors"
    >>> net = FullyConnectedNet([4], input_dim=3, num_classes=2, normalization="batchnorm")
    >>> print(export_net(net, path, "torch").replace(path, "net.safetensors"))
    import torch
    from safetensors.torch import load_file
    <BLANKLINE>
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 4),
        torch.nn.BatchNorm1d(4, eps=1e-05, momentum=0.1),
        torch.nn.ReLU(),
        torch.nn.Linear(4, 2),
    )
    net.load_state_dict(load_file("net.safetensors"))
    net.eval()  # net(x) are the scores of x, float32 (N, 3)
    <BLANKLINE>
    >>> import_net(path, "torch").bn_params[0]["momentum"]
    0.9
    """
    return write_parts(take_apart(model), path, to, unbiased_for=unbiased_for)


def write_parts(
    parts: Parts, path: str | os.PathLike[str], to: str, *, unbiased_for: int | None = None
) -> str:
    """`export_net` of a net taken apart."""
    library = library_named(to)
    path = Path(path)
    if not path.name.endswith(library.SUFFIX):
        raise OptionError(
            f"{path} does not end in {library.SUFFIX}, as {library.TITLE}'s loader expects"
        )
    if unbiased_for is not None and parts.normalization != "batchnorm":
        raise OptionError(
            "unbiased_for is about batch norm's running variances, and this net has none"
        )
    write_whole(path, library.to_bytes(parts, unbiased_for))
    return library.snippet(parts, str(path))


@explained
def import_net(
    path: str | os.PathLike[str], source: str, *, rng: Generator | None = None
) -> FullyConnectedNet:
    """The net in a file that `export_net` wrote for 'torch', 'keras' or 'onnx', also after training there.

    Such a file has a label in its metadata, which says what the net is. Nothing in the file is
    executed. `rng` draws dropout's masks, by default NumPy's global one. Raises ForeignNetError for
    a file without the label, and for one whose arrays are not those of the label's net, naming what
    was found and what was expected.
    """
    return put_together(read_parts(path, source), rng)


def read_parts(path: str | os.PathLike[str], source: str) -> Parts:
    """`import_net`, taken apart."""
    library = library_named(source)
    try:
        return library.from_bytes(read_whole(path), str(path))
    except MemoryError as error:
        raise ForeignNetError(f"{path} needs more memory than there is") from error


def library_named(name: str) -> Library:
    """A library's module. Raises OptionError for others."""
    if name not in LIBRARIES:
        raise not_one_of("library", name, LIBRARIES)
    return LIBRARIES[name]
