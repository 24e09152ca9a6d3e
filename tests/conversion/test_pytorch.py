"""PyTorch's names and conventions, against an independent evaluation of a `state_dict`; and other people's files."""

from __future__ import annotations

import contextlib
import json
import math

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab.conversion import ForeignNetError, Told, export_net, import_net
from normlab.conversion.label import KEY
from normlab.conversion.parts import put_together, take_apart
from normlab.conversion.pytorch import from_bytes, from_state_dict, snippet, state_dict, to_bytes
from normlab.errors import OptionError, UserError
from normlab.selftest.conversion import same_net

from .conftest import NETS


def evaluated(tensors, normalization, eps, groups, x):
    """A Sequential of (Linear, norm, ReLU, Dropout) in eval mode, as PyTorch's documentation defines each module."""
    places = sorted({int(name.split(".")[0]) for name in tensors})
    for place in places:
        own = {
            name.split(".")[1]: value.astype(float) for name, value in tensors.items() if name.startswith(f"{place}.")
        }
        if own["weight"].ndim == 2:
            x = x @ own["weight"].T + own["bias"]
        else:
            if normalization == "batchnorm":
                x = (x - own["running_mean"]) / np.sqrt(own["running_var"] + eps)
            else:
                g = x.reshape(len(x), groups, -1)
                mean = 0 if normalization == "rmsnorm" else g.mean(-1, keepdims=True)
                x = ((g - mean) / np.sqrt(((g - mean) ** 2).mean(-1, keepdims=True) + eps)).reshape(x.shape)
            x = x * own["weight"] + own.get("bias", 0)
        if normalization is None or own["weight"].ndim == 1:
            x = x if place == places[-1] else np.maximum(x, 0)
    return x


def test_the_exported_tensors_give_the_same_scores_by_pytorch_s_definitions(net, X):
    parts = take_apart(net)
    y = evaluated(state_dict(parts), net.normalization, 1e-5, parts.num_groups or 1, X.astype(net.dtype).astype(float))
    # float32 parameters and statistics, rounded once each; the arithmetic here is float64
    tolerance = 1e-5 if net.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(y, net.loss(X), rtol=0, atol=tolerance * np.abs(y).max())


def test_names_shapes_and_types_are_those_of_a_sequential(batchnorm_net):
    tensors = state_dict(take_apart(batchnorm_net))
    found = {name: (value.shape, str(value.dtype)) for name, value in tensors.items()}
    expected = {}
    for place, fan_in, width in ((0, 6, 12), (4, 12, 18), (8, 18, 12)):
        expected |= {f"{place}.weight": ((width, fan_in), "float32"), f"{place}.bias": ((width,), "float32")}
        vectors = ("weight", "bias", "running_mean", "running_var")
        expected |= {f"{place + 1}.{name}": ((width,), "float32") for name in vectors}
        expected[f"{place + 1}.num_batches_tracked"] = ((), "int64")
    assert found == expected | {"12.weight": ((4, 12), "float32"), "12.bias": ((4,), "float32")}


def test_the_snippet_says_eps_momentum_and_the_chance_to_drop_in_pytorch_s_convention(batchnorm_net):
    text = snippet(take_apart(batchnorm_net), 'C:\\a "net".safetensors')
    assert "torch.nn.BatchNorm1d(12, eps=1e-05, momentum=0.1)," in text
    assert "torch.nn.Dropout(p=0.25)," in text
    assert text.count("\n    torch.nn.") == 13
    compile(text, "snippet", "exec")


def renamed(net, names):
    """The net's tensors under other module names, without the label; `names` maps places in the Sequential."""
    tensors = {}
    for name, value in state_dict(take_apart(net)).items():
        place, leaf = name.split(".")
        tensors[f"{names[int(place)]}.{leaf}" if names[int(place)] else leaf] = value
    return tensors


PLACES = (0, 1, 4, 5, 8, 9, 12)
NAMINGS = {
    "by kind": ("fc1", "bn1", "fc2", "bn2", "fc3", "bn3", "fc4"),
    "in blocks": ("blocks.0.linear", "blocks.0.norm", "blocks.1.linear", "blocks.1.norm", "b.linear", "b.norm", "head"),
    "beyond nine": ("net.8", "net.9", "net.11", "net.12", "net.100", "net.101", "net.1000"),
    "compiled and wrapped": tuple(f"_orig_mod.module.{place}" for place in PLACES),
    "in words": ("stem", "stem_norm", "middle", "middle_norm", "neck", "third_norm", "head"),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_other_names_are_understood_where_their_order_is_certain(naming):
    net = NETS["batchnorm, float64"]
    names = NAMINGS[naming]
    tensors = renamed(net, dict(zip(PLACES, names, strict=True)))
    if naming == "in words":  # two layers of 12: their norms could be either's
        with pytest.raises(ForeignNetError, match="norms do not tell their order"):
            from_state_dict(tensors, Told())
        return
    parts, notes = from_state_dict(tensors, Told(dropout=0.25))
    back = put_together(parts)
    back.reg = net.reg
    assert same_net(net, back)
    assert [note.split(",")[0].split(":")[0] for note in notes] == [
        "ReLU after each hidden layer",
        "eps=1e-05",
        "momentum=0.1",
    ]


def test_an_order_that_sizes_leave_open_is_asked_for_and_can_be_told():
    squares = {name: np.eye(3, dtype="f4") * factor for name, factor in (("b", 1), ("a", 2), ("c", 3))}
    tensors = {f"{name}.weight": value for name, value in squares.items()}
    with pytest.raises(ForeignNetError, match=r"allow several: 'a', 'b', 'c'; name the affine layers .* --layers"):
        from_state_dict(tensors, Told())
    parts, _ = from_state_dict(tensors, Told(layers=("b", "c", "a")))
    assert [affine.W[0, 0] for affine in parts.affines] == [1, 3, 2]
    with pytest.raises(ForeignNetError, match="--layers names 'b', 'c'; expected each Linear"):
        from_state_dict(tensors, Told(layers=("b", "c")))


@pytest.fixture
def tensors():
    return dict(state_dict(take_apart(NETS["batchnorm, float32"])))


BROKEN = {
    "unknown": (lambda t: t.update({"1.scale": t["1.bias"]}), r"'1\.scale', of shape \(12,\), is of no layer"),
    "a convolution": (
        lambda t: t.update({"0.weight": np.zeros((2, 2, 3, 3), "f4")}),
        r"'0\.weight' has shape \(2, 2, 3",
    ),
    "no weight": (lambda t: [t.pop("1.weight"), t.pop("1.running_mean")], r"'1\.weight' is missing"),
    "no bias": (lambda t: t.pop("4.bias"), r"'4\.bias' is missing; expected shape \(18,\)"),
    "no variance": (lambda t: t.pop("1.running_var"), "running_mean and running_var together"),
    "wrong bias": (lambda t: t.update({"5.bias": np.zeros(3, "f4")}), r"'5\.bias' has shape \(3,\); expected \(18,\)"),
    "wrong count": (lambda t: t.update({"1.num_batches_tracked": np.zeros(2, "i8")}), r"expected \(\)"),
    "a Linear less": (
        lambda t: [t.pop("4.weight"), t.pop("4.bias")],
        r"'8\.weight' has shape \(12, 18\); expected \(…, 12\)",
    ),
    "a norm less": (lambda t: [t.pop(name) for name in list(t) if name.startswith("5.")], "2 norms"),
    "no chain": (lambda t: t.update({"4.weight": np.zeros((18, 5), "f4")}), "because '0' before it gives 12 values"),
    "a first norm": (
        lambda t: [t.pop(n) for n in list(t) if n.startswith("0.")],
        "3 norms, '1', '5', '9', for 2 hidden",
    ),
    "a wrong norm": (
        lambda t: [t.update({n: t[n][:3]}) for n in list(t) if n.startswith("5.") and t[n].ndim],
        r"'5\.weight' has shape \(3,\); expected \(18,\)",
    ),
    "mixed types": (lambda t: t.update({"4.bias": np.zeros(18)}), "types 'float32', 'float64'"),
    "whole numbers": (lambda t: t.update({"4.bias": np.zeros(18, "i8")}), r"'4\.bias' has type int64"),
    "nothing": (lambda t: t.clear(), "no tensor is a Linear's weight"),
    "mixed norms": (
        lambda t: [t.pop(name) for name in ("5.running_mean", "5.running_var", "5.num_batches_tracked")],
        "have different tensors",
    ),
    "a ReLU between": (
        lambda t: t.update({name.replace("1.", "2."): t.pop(name) for name in list(t) if name.startswith("1.")}),
        "norm '2' does not follow the Linear '0' at once",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_another_architecture_is_refused_by_the_tensor_s_name(fault, tensors):
    change, sentence = BROKEN[fault]
    change(tensors)
    with pytest.raises(ForeignNetError, match=sentence):
        from_state_dict(tensors, Told())


def test_what_tensors_cannot_tell_is_asked_for():
    layernorm = state_dict(take_apart(NETS["layernorm, float32"]))
    with pytest.raises(
        ForeignNetError, match="layer norm or group norm; say --normalization layernorm or --num-groups G"
    ):
        from_state_dict(layernorm, Told())
    assert from_state_dict(layernorm, Told(num_groups=3))[0].num_groups == 3
    assert from_state_dict(layernorm, Told("layernorm"))[0].normalization == "layernorm"
    with pytest.raises(ForeignNetError, match="cannot be batch norm"):
        from_state_dict(layernorm, Told("batchnorm"))
    with pytest.raises(ForeignNetError, match="say --num-groups"):
        from_state_dict(layernorm, Told("groupnorm"))
    with pytest.raises(OptionError, match=r"possible are \[1, 2, 3, 6\]"):
        from_state_dict(layernorm, Told(num_groups=5))
    with pytest.raises(ForeignNetError, match="no norm layer"):
        from_state_dict(state_dict(take_apart(NETS["None, float32"])), Told("layernorm"))


def test_pytorch_s_defaults_are_assumed_and_named():
    rmsnorm = state_dict(take_apart(NETS["rmsnorm, float32"]))
    with pytest.raises(ForeignNetError, match="RMS norm or layer norm"):
        from_state_dict(rmsnorm, Told())
    parts, notes = from_state_dict(rmsnorm, Told("rmsnorm"))
    assert parts.norms[0].eps == np.finfo(np.float32).eps  # torch.nn.RMSNorm's eps=None
    assert any("eps=1.19209e-07" in note for note in notes)
    parts, _ = from_state_dict(rmsnorm, Told("layernorm", eps=0.5))
    assert parts.norms[0].eps == 0.5
    assert not parts.norms[0].beta.any()


def test_momentum_dropout_and_variance_are_told_in_pytorch_s_convention(tensors):
    parts, _ = from_state_dict(tensors, Told(momentum=0.25, dropout=0.2, unbiased_for=10))
    assert parts.norms[0].momentum == 0.75
    assert parts.keep == 0.8
    np.testing.assert_allclose(parts.norms[0].running_var, tensors["1.running_var"] * 0.9, rtol=1e-6)


@pytest.mark.parametrize("bad", [{"momentum": 1.5}, {"dropout": -1}, {"eps": math.nan}, {"normalization": "batch"}])
def test_impossible_words_are_refused(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        Told(**bad)


def test_layers_without_bias_and_norms_without_scale_are_completed(tensors):
    for name in [name for name in tensors if name in ("0.bias", "4.bias", "8.bias")]:
        tensors[name][:] = 0
    for name in ("1", "5", "9"):
        tensors[f"{name}.weight"][:], tensors[f"{name}.bias"][:] = 1, 0
    whole, _ = from_state_dict(tensors, Told())
    bare = {name: value for name, value in tensors.items() if name not in ("0.bias", "4.bias", "8.bias")}
    bare = {
        name: value
        for name, value in bare.items()
        if not (name.split(".")[0] in ("1", "5", "9") and name.endswith(("weight", "bias")))
    }
    parts, notes = from_state_dict(bare, Told())
    assert same_net(put_together(whole), put_together(parts))
    assert sum("bias of zeros" in note for note in notes) == 3


# The label


def relabelled(net, change):
    """A file whose label was changed."""
    tensors = safetensors.numpy.load(to_bytes(take_apart(net)))
    content = to_bytes(take_apart(net))
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    label = json.loads(header["__metadata__"][KEY])
    label = change(label) or label
    return safetensors.numpy.save(tensors, metadata={KEY: label if isinstance(label, str) else json.dumps(label)})


def test_a_net_that_was_trained_on_elsewhere_keeps_what_it_learned(batchnorm_net):
    content = to_bytes(take_apart(batchnorm_net))
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    tensors = safetensors.numpy.load(content)
    tensors["1.running_mean"] = tensors["1.running_mean"].copy()
    tensors["1.running_mean"][3] += 1
    parts, _ = from_bytes(safetensors.numpy.save(tensors, metadata=header["__metadata__"]), "net", Told())
    here = batchnorm_net.bn_params[0]["running_mean"]
    changed = parts.norms[0].running_mean != here
    assert changed.tolist() == [number == 3 for number in range(12)]
    assert parts.norms[0].running_mean[3] == tensors["1.running_mean"][3]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda _: "{", "is damaged"),
        (lambda _: "[]", "is damaged"),
        (lambda _: "[" * 100_000, "is damaged"),
        (lambda label: label.pop("eps") and None, "is damaged"),
        (lambda label: label.update(surprise=1), "is damaged"),
        (lambda label: label.update(version=2), "another version"),
        (lambda label: label.update(keep="all"), "is damaged"),
        (lambda label: label.update(eps=[1e-5]), "speaks of 1 norm layers, but its tensors are of 3"),
        (lambda label: label.update(mean=[[1.0]] * 3), "speaks of 1 running statistics"),
        (lambda label: label.update(mean=[]), "running statistics of 0 layers"),
        (lambda label: label.update(normalization="layernorm"), "speaks of 'layernorm'"),
        (lambda label: label.update(keep=0.0), "dropout=0.0 is not a probability"),
        (lambda label: label.update(unbiased_for=1), "is damaged"),
        (lambda label: label.update(unbiased_for="many"), "is damaged"),
        (lambda label: label.update(eps=[-1.0] * 3), "is damaged"),
        (lambda label: label.update(momentum=[2.0] * 3), "is damaged"),
    ],
)
def test_a_lying_label_is_refused(batchnorm_net, change, sentence):
    with pytest.raises(UserError, match=sentence):
        from_bytes(relabelled(batchnorm_net, change), "net.safetensors", Told())


# Files


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "pytorch_model.bin", "net.ckpt", "net.anything"])
def test_a_pickle_is_refused_with_the_way_out(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x80\x04\x95boom")
    with pytest.raises(ForeignNetError, match=r"is a pickle.*weights_only=True"):
        import_net(path, "torch")


def test_a_header_whose_length_looks_like_a_pickle_is_none():
    """A header of 0x0480 bytes begins as pickles do."""
    tensors = {"weight": np.eye(2, dtype="f4"), "bias": np.zeros(2, "f4")}
    for filling in range(2000):
        content = safetensors.numpy.save(tensors, metadata={"filling": "x" * filling})
        if content[:2] == b"\x80\x04":
            break
    assert content[:2] == b"\x80\x04"
    assert from_bytes(content, "net.safetensors", Told())[0].dims == (2, 2)


def test_missing_and_wrong_files_are_sentences(tmp_path):
    for path, sentence in ((tmp_path / "absent", "there is no file"), (tmp_path, "is not a file")):
        with pytest.raises(ForeignNetError, match=sentence):
            import_net(path, "torch")
    (tmp_path / "half").write_bytes(safetensors.numpy.save({"weight": np.eye(2, dtype="f2")}))
    with pytest.raises(ForeignNetError, match=r"'weight' .* has type F16; expected F32 or F64"):
        import_net(tmp_path / "half", "torch")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_or_read_and_nothing_else(data):
    content = bytearray(to_bytes(take_apart(NETS["batchnorm, float32"])))
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, header - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UserError):
        put_together(from_bytes(bytes(content), "net.safetensors", Told())[0])


def test_exporting_replaces_a_file_whole(batchnorm_net, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"before")
    export_net(batchnorm_net, path, "torch")
    assert same_net(import_net(path, "torch"), batchnorm_net)
    assert list(tmp_path.iterdir()) == [path]
