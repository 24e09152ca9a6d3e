"""Plausible wrong arguments to every documented call: a result or a sentence, never a raw exception.

    python -m proof.wrong_types --inputs 100000

Each call is known with arguments that are right. An input changes one or two of them into what a
person may well give by mistake: None, a list for an array, an array of another shape or type, a
masked array, a string for a number, True, NaN, the wrong object. Hypothesis draws the inputs.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import copy
import io
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import normlab
from normlab import checkpoints, conversion, data, engines, gradcheck, layers, optim
from normlab.data import Dataset
from normlab.errors import UserError
from normlab.specs import DataSpec, History, NetSpec, RunSpec, TrainingSpec

HERE = Path(__file__).parents[1]


class Call(NamedTuple):
    """A documented call with right arguments, by position and by name."""

    name: str
    function: Callable[..., Any]
    positional: tuple[Any, ...] = ()
    named: dict[str, Any] = {}  # noqa: RUF012  # never written to


class Found(NamedTuple):
    """A raw exception: where it was raised, and the call that did it."""

    where: str
    call: str


def _numbers(*shape: int) -> Any:
    return np.random.RandomState(0).randn(*shape)


def layer_calls() -> Iterator[Call]:
    """Every layer's forward and backward pass."""
    x, images, y = _numbers(4, 6), _numbers(3, 4, 5, 5), np.array([0, 1, 2, 3])
    ones, zeros, filters = np.ones(6), np.zeros(6), _numbers(2, 4, 3, 3)
    channels, shifts = np.ones(4), np.zeros(4)
    conv, pool = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 1}
    train, w, b = {"mode": "train"}, _numbers(6, 5), np.zeros(5)
    forwards: dict[str, tuple[Any, ...]] = {
        "affine": (x, w, b),
        "affine_relu": (x, w, b),
        "relu": (x,),
        "dropout": (x, {"mode": "train", "p": 0.5, "seed": 0}),
        "batchnorm": (x, ones, zeros, train),
        "layernorm": (x, ones, zeros, {}),
        "rmsnorm": (x, ones, {}),
        "groupnorm": (x, ones, zeros, {"num_groups": 2}),
        "instancenorm": (images, channels, shifts, {}),
        "localresponse": (images, {"size": 3}),
        "lpnorm": (x, {"p": 2, "axis": -1}),
        "meanvariance": (images, {"axes": (0, 2, 3)}),
        "spatial_batchnorm": (images, channels, shifts, train),
        "spatial_groupnorm": (
            images,
            channels[:, None, None][None],
            shifts[:, None, None][None],
            2,
            {},
        ),
        "conv_relu": (images, filters, np.zeros(2), conv),
        "conv_relu_pool": (images, filters, np.zeros(2), conv, pool),
        "conv_bn_relu": (images, filters, np.zeros(2), np.ones(2), np.zeros(2), conv, train),
    }
    passes = {name: (f"{name}_forward", f"{name}_backward") for name in forwards}
    for kind, arguments in (
        ("conv", (images, filters, np.zeros(2), conv)),
        ("max_pool", (images, pool)),
    ):
        for speed in ("naive", "fast"):
            forwards[f"{kind}_{speed}"] = arguments
            passes[f"{kind}_{speed}"] = (f"{kind}_forward_{speed}", f"{kind}_backward_{speed}")
    passes["batchnorm_alt"] = ("batchnorm_forward", "batchnorm_backward_alt")
    forwards["batchnorm_alt"] = forwards["batchnorm"]
    for name, arguments in forwards.items():
        forward, backward = (getattr(layers, each, None) for each in passes[name])
        if forward is None or backward is None:
            continue
        yield Call(passes[name][0], forward, arguments)
        with contextlib.suppress(Exception):  # what cannot be run here is not fuzzed either
            out, cache = forward(*copy.deepcopy(arguments))
            yield Call(passes[name][1], backward, (np.ones_like(out), cache))
    for loss in ("softmax_loss", "svm_loss", "nll_loss"):
        yield Call(loss, getattr(layers, loss), (x, y))


def other_calls(folder: Path) -> Iterator[Call]:
    """Update rules, nets, the Solver, specs, gradient checks, data, files, training."""
    w = _numbers(3, 2)
    for rule in optim.UPDATE_RULES.values():
        yield Call(rule.name, rule.step, (w, w, {"learning_rate": 0.1}))
    X, y = _numbers(20, 4), np.arange(20) % 3
    arrays = {"X_train": X, "y_train": y, "X_val": X, "y_val": y, "X_test": X, "y_test": y}
    net = normlab.FullyConnectedNet([5], input_dim=4, num_classes=3, normalization="batchnorm")
    yield Call(
        "FullyConnectedNet",
        normlab.FullyConnectedNet,
        ([5],),
        {
            "input_dim": 4,
            "num_classes": 3,
            "dropout": 0.5,
            "normalization": "batchnorm",
            "reg": 0.1,
            "weight_scale": 0.1,
            "dtype": np.float32,
            "seed": 1,
            "rng": np.random.RandomState(0),
        },
    )
    yield Call(
        "TwoLayerNet",
        normlab.TwoLayerNet,
        (),
        {"input_dim": 4, "hidden_dim": 5, "num_classes": 3, "weight_scale": 0.1, "reg": 0.1},
    )
    yield Call("FullyConnectedNet.loss", lambda X, y: copy.deepcopy(net).loss(X, y), (X, y))
    yield Call(
        "Solver",
        normlab.Solver,
        (net, arrays),
        {
            "update_rule": "adam",
            "optim_config": {"learning_rate": 0.1},
            "lr_decay": 0.9,
            "batch_size": 10,
            "num_epochs": 1,
            "print_every": 10,
            "verbose": False,
            "rng": np.random.RandomState(0),
        },
    )
    spec, training = (
        NetSpec((5,), normalization="batchnorm"),
        TrainingSpec(batch_size=10, num_epochs=1),
    )
    yield Call(
        "NetSpec",
        NetSpec,
        ((5,),),
        {
            "normalization": "groupnorm",
            "num_groups": 5,
            "dropout": 0.5,
            "weight_scale": 0.1,
            "reg": 0.0,
            "dtype": "float32",
            "eps": 1e-5,
            "kind": "fully connected",
        },
    )
    yield Call(
        "TrainingSpec",
        TrainingSpec,
        (),
        {
            "batch_size": 10,
            "num_epochs": 1,
            "learning_rate": 0.1,
            "update_rule": "adam",
            "lr_decay": 1.0,
        },
    )
    yield Call(
        "DataSpec", DataSpec, (), {"name": "digits", "num_train": 5, "num_val": 5, "input_dim": 4}
    )
    yield Call(
        "RunSpec",
        lambda *a, **k: RunSpec(*a, **k).key,
        (spec, training),
        {"data": DataSpec(), "seed": 1},
    )
    yield Call("RunSpec.from_json", RunSpec.from_json, (RunSpec(spec, training).to_json(),))
    yield Call("History.from_json", History.from_json, ('{"loss": [1.0]}',))
    square = {"x": _numbers(2, 2)}
    yield Call(
        "check_gradient",
        gradcheck.check_gradient,
        (np.sum, square, {"x": np.ones((2, 2))}),
        {"draws": 1, "seed": 0},
    )
    yield Call(
        "check_layer",
        gradcheck.check_layer,
        (layers.relu_forward, layers.relu_backward, square),
        {"draws": 1},
    )
    yield Call("check_net", gradcheck.check_net, (net, X[:4], y[:4]), {"draws": 1, "seed": 0})
    yield Call(
        "data.load", data.load, ("digits",), {"num_training": 5, "num_validation": 5, "num_test": 5}
    )
    yield Call("data.find", data.find, ("cifar10", str(folder)))
    yield Call("Dataset", Dataset, ("own", X, y, X, y, X, y), {"num_classes": 3})
    small = Dataset("own", X, y, X, y, X, y, num_classes=3)
    run = RunSpec(spec, training, small.spec)
    yield Call("explain_engine", engines.explain_engine, (run,))
    yield Call(
        "train", normlab.train, ([run], small), {"workers": 1, "engine": "reference", "retries": 1}
    )
    yield Call(
        "Records",
        lambda *a, **k: normlab.Records(*a, **k).close(),
        (str(folder / "r.sqlite"),),
        {"mode": "a"},
    )
    saved = checkpoints.save(folder / "saved", {"a": X}, {"b": 1})
    yield Call("checkpoints.save", checkpoints.save, (folder / "checkpoint", {"a": X}, {"b": 1}))
    yield Call("checkpoints.load", checkpoints.load, (saved,))
    yield Call("save_net", conversion.save_net, (folder / "net", net))
    own = conversion.save_net(folder / "own", net)
    yield Call("load_net", conversion.load_net, (own,), {"take": "best"})
    exported = folder / "net.safetensors"
    conversion.export_net(net, exported, "torch")
    yield Call(
        "export_net",
        conversion.export_net,
        (net, folder / "out.safetensors", "torch"),
        {"unbiased_for": 10},
    )
    yield Call("import_net", conversion.import_net, (exported, "torch"))


def wrong_values(right: Any) -> list[Any]:
    """What a person may give in place of `right` by mistake."""
    values: list[Any] = [
        None,
        [],
        (),
        {},
        "",
        "x",
        0,
        -1,
        2.5,
        True,
        float("nan"),
        float("inf"),
        object(),
        10**400,
    ]
    values += [np.float32(1.5), np.int64(3), 1j, [None], ["a"], {1: 2}, print, int, np.array(1.0)]
    if isinstance(right, np.ndarray):
        values += [
            right.tolist(),
            right[:0],
            right[..., None],
            right.T,
            right.astype(object),
            right.astype(complex),
        ]
        values += [
            np.ma.masked_array(right),
            right.astype(str),
            right.ravel(),
            right[:1],
            right.astype(bool),
        ]
        values += [
            np.full(right.shape, np.nan),
            right.astype(np.float16),
            right.astype(int),
            memoryview(right.tobytes()),
        ]
        values += [right.astype("datetime64[s]") if right.dtype.kind in "iu" else right[::-1]]
    if isinstance(right, dict):
        for key, value in right.items():
            values += [
                {**right, key: wrong}
                for wrong in (None, "x", -1, 0, 2.5, [1], np.nan, True, 10**400)
            ]
            values += [{k: v for k, v in right.items() if k != key}, {**right, key: [value]}]
        values += [list(right), {**right, "surprise": 1}]
    if isinstance(right, tuple):
        values += [list(right), right[:-1], (*right, 1), tuple(None for _ in right)]
    if isinstance(right, int | float | str):
        values += [str(right), [right], (right,), np.array([right])]
    if isinstance(right, Path):
        values += [str(right), right.parent, right / "absent" / "x", bytes(right)]
    return values


class Tally:
    """Draws inputs for calls and counts what became of them."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls
        self.inputs = self.refused = 0
        self.raw: dict[str, list[str]] = collections.defaultdict(list)

    def changes(self, call: Call, drawn: list[tuple[int, int]]) -> list[tuple[Any, Any]]:
        """Which arguments of the call are replaced by what, from whole numbers."""
        found = []
        for where, which in drawn:
            places: list[Any] = [*range(len(call.positional)), *call.named]
            place = places[where % len(places)]
            right = call.positional[place] if isinstance(place, int) else call.named[place]
            values = wrong_values(right)
            found.append((place, values[which % len(values)]))
        return found

    def ask(self, call: Call, changes: list[tuple[Any, Any]]) -> None:
        """Make the call with these changes; a raw exception is noted by its place."""
        positional = [copy.deepcopy(each) for each in call.positional]
        named = copy.deepcopy(call.named)
        for place, value in changes:
            if isinstance(place, int):
                positional[place] = value
            else:
                named[place] = value
        self.inputs += 1
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                call.function(*positional, **named)
        except UserError:
            self.refused += 1
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            own = [
                each
                for each in traceback.extract_tb(error.__traceback__)
                if "normlab" in each.filename
            ]
            place = own[-1] if own else place
            where = f"{call.name}: {type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {error}"[
                :160
            ]
            self.raw[where].append(", ".join(f"{at}={value!r:.60}" for at, value in changes))

    def run(self, inputs: int) -> None:
        """Draw so many inputs."""
        number = st.integers(0, 2**32 - 1)

        @settings(
            max_examples=inputs,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(number, st.lists(st.tuples(number, number), min_size=1, max_size=2))
        def asked(which: int, drawn: list[tuple[int, int]]) -> None:
            call = self.calls[which % len(self.calls)]
            self.ask(call, self.changes(call, drawn))

        asked()


def main() -> int:
    """Run from the command line; the exit code is 1 where there was a raw exception."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--only", default="", help="calls whose name holds this")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        state = np.random.get_state()
        calls = [
            call
            for call in (*layer_calls(), *other_calls(Path(folder)))
            if arguments.only in call.name
        ]
        tally, began = Tally(calls), time.perf_counter()
        tally.run(arguments.inputs)
        np.random.set_state(state)
    for where, inputs in sorted(tally.raw.items(), key=lambda item: -len(item[1])):
        print(f"{len(inputs):5}  {where}\n       {inputs[0]}")
    raw = sum(map(len, tally.raw.values()))
    print(
        f"{len(calls)} calls, {tally.inputs:,} inputs in {time.perf_counter() - began:.0f} s: "
        f"{tally.refused:,} refused in a sentence, {raw:,} raw exceptions in {len(tally.raw)} "
        "places"
    )
    return int(bool(raw))


if __name__ == "__main__":
    raise SystemExit(main())
