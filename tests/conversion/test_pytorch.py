"""PyTorch's names and conventions, against an independent evaluation of a `state_dict`, and what comes back."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab import randomness
from normlab.conversion import ForeignNetError, export_net, import_net, load_net
from normlab.conversion.label import KEY
from normlab.conversion.net_parts import put_together, take_apart
from normlab.conversion.pytorch import from_bytes, snippet, state_dict, to_bytes
from normlab.errors import UserError
from normlab.nets import FullyConnectedNet
from proof.round_trips import same_net

from .conftest import NETS


def evaluated(tensors, normalization, eps, groups, x):
    """A Sequential of (Linear, norm, ReLU, Dropout) in eval mode, as PyTorch's documentation defines each module."""
    places = sorted({int(name.split(".")[0]) for name in tensors})
    for place in places:
        own = {
            name.split(".")[1]: value.astype(float)
            for name, value in tensors.items()
            if name.startswith(f"{place}.")
        }
        if own["weight"].ndim == 2:
            x = x @ own["weight"].T + own["bias"]
        else:
            if normalization == "batchnorm":
                x = (x - own["running_mean"]) / np.sqrt(own["running_var"] + eps)
            else:
                g = x.reshape(len(x), groups, -1)
                mean = 0 if normalization == "rmsnorm" else g.mean(-1, keepdims=True)
                x = ((g - mean) / np.sqrt(((g - mean) ** 2).mean(-1, keepdims=True) + eps)).reshape(
                    x.shape
                )
            x = x * own["weight"] + own.get("bias", 0)
        if normalization is None or own["weight"].ndim == 1:
            x = x if place == places[-1] else np.maximum(x, 0)
    return x


def test_the_exported_tensors_give_the_same_scores_by_pytorch_s_definitions(net, X):
    parts = take_apart(net)
    y = evaluated(
        state_dict(parts),
        net.normalization,
        1e-5,
        parts.num_groups or 1,
        X.astype(net.dtype).astype(float),
    )
    # float32 parameters and statistics, rounded once each; the arithmetic here is float64
    tolerance = 1e-5 if net.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(y, net.loss(X), rtol=0, atol=tolerance * np.abs(y).max())


def test_names_shapes_and_types_are_those_of_a_sequential(batchnorm_net):
    tensors = state_dict(take_apart(batchnorm_net))
    found = {name: (value.shape, str(value.dtype)) for name, value in tensors.items()}
    expected = {}
    for place, fan_in, width in ((0, 6, 12), (4, 12, 18), (8, 18, 12)):
        expected |= {
            f"{place}.weight": ((width, fan_in), "float32"),
            f"{place}.bias": ((width,), "float32"),
        }
        vectors = ("weight", "bias", "running_mean", "running_var")
        expected |= {f"{place + 1}.{name}": ((width,), "float32") for name in vectors}
        expected[f"{place + 1}.num_batches_tracked"] = ((), "int64")
    assert found == expected | {"12.weight": ((4, 12), "float32"), "12.bias": ((4,), "float32")}


def test_the_snippet_says_eps_momentum_and_the_chance_to_drop_in_pytorch_s_convention(
    batchnorm_net,
):
    text = snippet(take_apart(batchnorm_net), 'C:\\a "net".safetensors')
    assert "torch.nn.BatchNorm1d(12, eps=1e-05, momentum=0.1)," in text
    assert "torch.nn.Dropout(p=0.25)," in text
    assert text.count("\n    torch.nn.") == 13
    compile(text, "snippet", "exec")


def metadata_of(content):
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]


def changed(net, change):
    """The net's file with its label, after a change of its tensors."""
    content = to_bytes(take_apart(net))
    tensors = {name: value.copy() for name, value in safetensors.numpy.load(content).items()}
    change(tensors)
    return safetensors.numpy.save(tensors, metadata=metadata_of(content))


def moved(old, new):
    def change(tensors):
        for name in [name for name in tensors if name.startswith(old)]:
            tensors[new + name.removeprefix(old)] = tensors.pop(name)

    return change


WITHOUT_A_LABEL = {
    "our own tensors": lambda net: state_dict(take_apart(net)),
    "somebody's net": lambda _: {"fc.weight": np.eye(2, dtype="f4"), "fc.bias": np.zeros(2, "f4")},
    "two Linears and no ReLU": lambda _: {
        name: np.ones(shape, "f4")
        for name, shape in {
            "0.weight": (3, 2),
            "0.bias": (3,),
            "1.weight": (2, 3),
            "1.bias": (2,),
        }.items()
    },
    "nothing": lambda _: {},
}


@pytest.mark.parametrize("which", WITHOUT_A_LABEL)
def test_a_file_without_a_label_is_refused_with_what_to_do(batchnorm_net, which):
    content = safetensors.numpy.save(WITHOUT_A_LABEL[which](batchnorm_net))
    with pytest.raises(ForeignNetError) as caught:
        from_bytes(content, "net.safetensors")
    for words in (
        "net.safetensors has no label of normlab",
        "save_file(",
        "copy its arrays",
        "docs/conversion.md",
    ):
        assert words in str(caught.value)


BROKEN = {
    "unknown": (
        lambda t: t.update({"1.scale": t["1.bias"]}),
        r"holds '1\.scale', which the net of its label",
    ),
    "a convolution": (
        lambda t: t.update({"0.weight": np.zeros((2, 2, 3, 3), "f4")}),
        "expected a matrix",
    ),
    "no weight": (
        lambda t: t.pop("1.weight"),
        r"lacks '1\.weight', which the net of its label has",
    ),
    "no bias": (lambda t: t.pop("4.bias"), r"lacks '4\.bias'"),
    "no variance": (lambda t: t.pop("1.running_var"), r"lacks '1\.running_var'"),
    "wrong bias": (
        lambda t: t.update({"5.bias": np.zeros(3, "f4")}),
        r"'5\.bias' in net has shape \(3,\) .* expected \(18,\)",
    ),
    "wrong count": (
        lambda t: t.update({"1.num_batches_tracked": np.zeros(2, "i8")}),
        "expected one whole number",
    ),
    "a Linear less": (
        lambda t: [t.pop("4.weight"), t.pop("4.bias")],
        r"which the net of its label does not have",
    ),
    "a norm elsewhere": (moved("1.", "2."), r"lacks '1\.weight'"),
    "no chain": (
        lambda t: t.update({"4.weight": np.zeros((18, 5), "f4")}),
        "affine layer 1 gives 12 values",
    ),
    "mixed types": (lambda t: t.update({"4.bias": np.zeros(18)}), "types 'float32', 'float64'"),
    "whole numbers": (
        lambda t: t.update({"4.bias": np.zeros(18, "i8")}),
        r"'4\.bias' has type int64",
    ),
    "nothing": (lambda t: t.clear(), r"lacks '0\.weight'.* it holds nothing more"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_file_that_its_label_denies_is_refused_by_the_tensor_s_name(batchnorm_net, fault):
    change, sentence = BROKEN[fault]
    with pytest.raises(UserError, match=sentence):
        from_bytes(changed(batchnorm_net, change), "net")


@pytest.mark.parametrize("count", [np.array(7, "i4"), np.array([7], "i8"), np.array([[7]], "u1")])
def test_a_count_of_batches_may_have_any_whole_type(batchnorm_net, count):
    content = changed(
        batchnorm_net, lambda tensors: tensors.update({"1.num_batches_tracked": count})
    )
    assert from_bytes(content, "net").norms[0].batches == 7


# The label


def relabelled(net, change):
    """A file whose label was changed."""
    content = to_bytes(take_apart(net))
    label = json.loads(metadata_of(content)[KEY])
    label = change(label) or label
    text = label if isinstance(label, str) else json.dumps(label)
    return safetensors.numpy.save(safetensors.numpy.load(content), metadata={KEY: text})


def test_a_net_that_was_trained_on_elsewhere_keeps_what_it_learned(batchnorm_net):
    def learn(tensors):
        tensors["1.running_mean"][3] += 1

    parts = from_bytes(changed(batchnorm_net, learn), "net")
    here = batchnorm_net.bn_params[0]["running_mean"]
    differing = parts.norms[0].running_mean != here
    assert differing.tolist() == [number == 3 for number in range(12)]
    assert parts.norms[0].running_mean[3] == here.astype("f4")[3] + np.float32(1)


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
        (
            lambda label: label.update(eps=[1e-5]),
            "speaks of 1 norm layers, but the file's arrays are of 3",
        ),
        (lambda label: label.update(mean=[[1.0]] * 3), "speaks of 1 running statistics"),
        (lambda label: label.update(mean=[]), "running statistics of 0 layers"),
        (
            lambda label: label.update(normalization="layernorm"),
            r"holds .*running_mean",
        ),
        (
            lambda label: label.update(normalization="own norm"),
            "normalization='own norm' is not one of",
        ),
        (lambda label: label.update(normalization=None), r"lacks|does not have"),
        (lambda label: label.update(normalization=["batchnorm"]), "is damaged"),
        (lambda label: label.update(num_groups=True), "is damaged"),
        (lambda label: label.update(num_groups=10**400), "is damaged"),
        (lambda label: label.update(num_groups=2.5), "is damaged"),
        (lambda label: label.update(eps=[10**400] * 3), "is damaged"),
        (lambda label: label.update(keep=10**400), "is damaged"),
        (lambda label: label.update(reg=-(10**400)), "is damaged"),
        (lambda label: label.update(unbiased_for=10**400), "is damaged"),
        (lambda label: label.update(version=10**400), "another version"),
        (lambda label: label.update(mean=[[10**400] * 12] * 3), "is damaged"),
        (lambda label: label.update(mean="123"), "speaks of"),
        (lambda label: label.update(keep=0.0), "dropout=0.0 is not a probability"),
        (lambda label: label.update(unbiased_for=1), "is damaged"),
        (lambda label: label.update(unbiased_for="many"), "is damaged"),
        (lambda label: label.update(eps=[-1.0] * 3), "is damaged"),
        (lambda label: label.update(momentum=[2.0] * 3), "is damaged"),
    ],
)
def test_a_lying_label_is_refused(batchnorm_net, change, sentence):
    with pytest.raises(UserError, match=sentence):
        from_bytes(relabelled(batchnorm_net, change), "net.safetensors")


def test_docs_copy_a_net_of_pytorch_array_by_array(batchnorm_net, tmp_path, X):
    """The snippet of docs/conversion.md, run on a Sequential's own state_dict."""
    text = (Path(__file__).parents[2] / "docs" / "conversion.md").read_text(encoding="utf-8")
    snippet = text.split("<!-- a net from elsewhere -->")[1].split("```")[1].removeprefix("python")
    names = {"state": state_dict(take_apart(batchnorm_net)), "PATH": str(tmp_path / "net.ckpt")}
    before = np.random.get_state()
    exec(snippet.replace('"net.ckpt"', "PATH"), names)
    np.random.set_state(before)  # the net of the snippet draws its first weights
    expected = put_together(take_apart(batchnorm_net)).loss(X)
    np.testing.assert_allclose(
        load_net(tmp_path / "net.ckpt").loss(X), expected, rtol=1e-5, atol=1e-5
    )


# Files


@pytest.mark.parametrize(
    "name", ["net.pt", "net.pth", "pytorch_model.bin", "net.ckpt", "net.anything"]
)
def test_a_pickle_is_refused_with_the_way_out(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x80\x04\x95boom")
    with pytest.raises(ForeignNetError, match=r"is a pickle.*normlab export --to torch"):
        import_net(path, "torch")


def test_a_header_whose_length_looks_like_a_pickle_is_none():
    """A header of 0x0480 bytes begins as pickles do."""
    content = to_bytes(
        take_apart(FullyConnectedNet([], input_dim=2, num_classes=2, rng=randomness.generator(0)))
    )
    tensors, metadata = safetensors.numpy.load(content), metadata_of(content)
    for filling in range(2000):
        content = safetensors.numpy.save(tensors, metadata=metadata | {"filling": "x" * filling})
        if content[:2] == b"\x80\x04":
            break
    assert content[:2] == b"\x80\x04"
    assert from_bytes(content, "net.safetensors").dims == (2, 2)


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
        put_together(from_bytes(bytes(content), "net.safetensors"))


def test_exporting_replaces_a_file_whole(batchnorm_net, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"before")
    export_net(batchnorm_net, path, "torch")
    assert same_net(import_net(path, "torch"), batchnorm_net)
    assert list(tmp_path.iterdir()) == [path]
