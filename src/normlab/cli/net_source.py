"""Where `normlab export` takes a net from: a checkpoint, or a recorded run or a spec, trained again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from normlab.cli.places import RECORDS
from normlab.conversion.bounded import read_whole
from normlab.conversion.checkpoint import parts_in
from normlab.conversion.net_parts import Parts, Take, take_apart
from normlab.data import load
from normlab.engines import trained_net
from normlab.errors import OptionError, quoted
from normlab.records import Records
from normlab.specs import History, RunSpec, replace

SQLITE = b"SQLite format 3\0"
MOST_SPEC = 2**20


class Net(NamedTuple):
    """A net, and in words where it is from."""

    parts: Parts
    origin: str


def net_from(
    source: str | os.PathLike[str],
    *,
    key: str | None = None,
    take: Take = "best",
    normalization: str | None = None,
    num_groups: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    engine: str = "auto",
) -> Net:
    """The net that `source` names.

    A checkpoint holds it. A results folder, or its records file, with the `key` of a run (or how it
    begins), and a JSON file with a RunSpec say how it was trained: it is trained again, which gives
    the same net on the same machine and versions, and the origin says whether the history is the
    recorded one. Raises UserErrors for what is none of these, and for what cannot be trained here.
    """
    source = Path(source)
    place = source / RECORDS if source.is_dir() else source
    if place.is_file() and _starts_with(place, SQLITE):
        spec, history = _recorded(place, key)
        return _trained(spec, data_dir, engine, history)
    if key is not None:
        raise OptionError(
            f"a key is for a results folder or its records file, and {source} is neither"
        )
    if source.is_file() and source.suffix == ".json":
        return _trained(_spec(source), data_dir, engine, None)
    parts = parts_in(place, take, normalization=normalization, num_groups=num_groups)
    return Net(parts, f"{source}, the {take} parameters")


def _recorded(place: Path, key: str | None) -> tuple[RunSpec, History]:
    listing = f"normlab results {place} --sort -best_val_acc --columns key,best_val_acc,hidden_dims,normalization,seed"
    with Records(place, mode="r") as records:
        if key is None:
            raise OptionError(
                f"{place} holds {len(records)} runs; name one with --key. To see them:  {listing}"
            )
        found = [each for each in records.keys() if each.startswith(key)]  # noqa: SIM118
        if len(found) != 1:
            few = quoted(each[:12] for each in found[:5])
            what = (
                f"{len(found)} runs have keys that begin so: {few}"
                if found
                else "no run has a key that begins so"
            )
            raise OptionError(f"--key {key}: {what}. To see them:  {listing}")
        for spec, history in records:
            if spec.key == found[0]:
                return spec, history
    raise OptionError(
        f"--key {key}: the run has another key than its own spec. To see all:  {listing}"
    )


def _spec(path: Path) -> RunSpec:
    content = read_whole(path)
    try:
        if len(content) > MOST_SPEC:
            raise ValueError("it is larger than 1 MiB")
        return RunSpec.from_json(content.decode())
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise OptionError(
            f"{path} is not a run's spec as RunSpec.to_json writes it: {error}"
        ) from error


def _trained(
    spec: RunSpec, data_dir: str | os.PathLike[str] | None, engine: str, recorded: History | None
) -> Net:
    with _about(spec):
        data = load(
            spec.data.name,
            data_dir,
            num_training=spec.data.num_train or None,
            num_validation=spec.data.num_val or None,
        )
    if not spec.data.fingerprint:  # a spec written by hand, which means the data set as it comes
        spec = RunSpec(spec.net, spec.training, data.spec, spec.seed)
    elif data.spec != replace(spec.data, split=None):
        raise OptionError(
            f"the run {spec.key[:12]} was trained on {spec.data}, and what can be loaded here is "
            f"{data.spec}: other data would give another net"
        )
    history, net = trained_net(
        spec, data, recorded.engine if recorded and engine == "auto" else engine
    )
    origin = f"the run {spec.key[:12]}, trained again on {data.name}"
    if spec.training.inputs != "raw":
        origin += f" with its inputs {spec.training.inputs}, which it must be given so"
    if recorded is not None and history == recorded:
        origin += ", with the recorded history to the bit"
    elif recorded is not None:
        origin += (
            f"; its best validation accuracy is {history.best_val_acc:g}, the recorded one "
            f"{recorded.best_val_acc:g}: another machine or other versions give other bits"
        )
    return Net(take_apart(net), origin)


@contextmanager
def _about(spec: RunSpec) -> Iterator[None]:
    try:
        yield
    except OptionError as error:
        raise OptionError(
            f"the run {spec.key[:12]} is on data that cannot be loaded by name: {error}"
        ) from error


def _starts_with(path: Path, start: bytes) -> bool:
    with open(path, "rb") as file:
        return file.read(len(start)) == start
