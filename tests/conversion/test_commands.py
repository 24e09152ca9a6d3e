"""`normlab export` and `normlab import`, as typed."""

from __future__ import annotations

import numpy as np
import pytest

import normlab as library
from normlab.conversion import save_net
from normlab.conversion.net_parts import put_together, take_apart
from normlab.engines import trained_net
from proof.round_trips import same_net
from tests.cli.conftest import normlab  # noqa: F401  # the fixture

from .conftest import NETS


@pytest.fixture
def checkpoint(tmp_path):
    return save_net(tmp_path / "net.ckpt", NETS["batchnorm, float32"])


@pytest.fixture(scope="module")
def digits():
    return library.data.load("digits")


@pytest.fixture(scope="module")
def run(digits):
    net = library.NetSpec((10,), normalization="layernorm")
    return library.RunSpec(net, library.TrainingSpec(num_epochs=1), digits.spec, seed=3)


def test_out_and_back_by_command(normlab, checkpoint, tmp_path):  # noqa: F811
    path, back = tmp_path / "net.safetensors", tmp_path / "back.ckpt"
    said = normlab("export", str(checkpoint), "--to", "torch", "--out", str(path))
    assert said.code == 0
    assert "6 → 12 → 18 → 12 → 4, batch norm, dropout that keeps 0.75, float32" in said.err
    assert str(path) in said.out
    compile(said.out, "snippet", "exec")
    said = normlab("import", str(path), "--from", "torch", "--out", str(back))
    assert said.code == 0
    names = {}
    exec(said.out, names)
    assert same_net(names["net"], NETS["batchnorm, float32"])
    assert normlab("export", str(checkpoint), "--to", "torch", "--out", str(path), "--quiet") == (
        0,
        "",
        "",
    )


def test_numbers_that_make_a_net_useless_are_said(normlab, tmp_path):  # noqa: F811
    net = put_together(take_apart(NETS["batchnorm, float32"]))
    net.params["W1"][0, :2] = np.nan
    net.bn_params[1]["running_var"][3] = -1
    path = save_net(tmp_path / "net.ckpt", net)
    out = tmp_path / "net.safetensors"
    said = normlab("export", str(path), "--to", "torch", "--out", str(out))
    for words in (
        "note: W1 holds 2 numbers that are not finite",
        "running_var2 holds 1 numbers that are below 0",
    ):
        assert words in said.err
    said = normlab("import", str(out), "--from", "torch", "--out", str(tmp_path / "back"))
    assert "note: W1 holds 2 numbers that are not finite" in said.err


def test_a_spec_is_trained_and_exported(normlab, run, digits, tmp_path):  # noqa: F811
    (tmp_path / "spec.json").write_text(run.to_json())
    path = tmp_path / "net.safetensors"
    said = normlab(
        "export",
        str(tmp_path / "spec.json"),
        "--to",
        "torch",
        "--out",
        str(path),
        "--engine",
        "reference",
    )
    assert said.code == 0
    assert f"from the run {run.key[:12]}, trained again on digits" in said.err
    expected = trained_net(run, digits, "reference")[1]
    assert same_net(
        library.conversion.import_net(path, "torch"), put_together(take_apart(expected))
    )


def test_a_recorded_run_is_trained_again_by_its_key(normlab, run, digits, tmp_path):  # noqa: F811
    with library.Records(tmp_path / "records.sqlite") as records:
        library.train([run], digits, records=records, workers=1, engine="reference")
    words = (str(tmp_path), "--to", "torch", "--out", str(tmp_path / "net.safetensors"))
    said = normlab("export", *words, "--key", run.key[:8])
    assert said.code == 0
    assert "with the recorded history to the bit" in said.err
    assert "holds 1 runs; name one with --key" in normlab("export", *words).err
    assert "no run has a key that begins so" in normlab("export", *words, "--key", "x").err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("export", "absent", "--to", "torch", "--out", "net.safetensors"),
            "there is no checkpoint at absent",
        ),
        (
            ("export", "{net}", "--to", "tensorflow", "--out", "net.pb"),
            "library='tensorflow' is not one of",
        ),
        (("export", "{net}", "--to", "keras", "--out", "net.h5"), "does not end in .weights.h5"),
        (
            ("export", "{net}", "--to", "torch", "--out", "net.safetensors", "--key", "1"),
            "a key is for a results folder",
        ),
        (
            ("export", "{net}", "--to", "torch", "--out", "net.safetensors", "--take", "worst"),
            "take='worst'",
        ),
        (("import", "absent", "--from", "onnx", "--out", "net"), "there is no file absent"),
        (
            ("import", "{net}", "--from", "torch", "--out", "net"),
            "is a checkpoint of normlab already",
        ),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exit_code_2(
    normlab,  # noqa: F811
    checkpoint,
    words,
    sentence,
    tmp_path,
    monkeypatch,
):
    monkeypatch.chdir(tmp_path)
    said = normlab(*(word.format(net=checkpoint) for word in words))
    assert said.code == 2
    assert sentence in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["net.ckpt"]


@pytest.mark.parametrize(
    "content", ["{}", "[]", "not json", '{"net": {"hidden_dims": [3], "width": 2}}']
)
def test_a_json_file_of_something_else_is_a_sentence(normlab, tmp_path, content):  # noqa: F811
    (tmp_path / "spec.json").write_text(content)
    said = normlab(
        "export",
        str(tmp_path / "spec.json"),
        "--to",
        "torch",
        "--out",
        str(tmp_path / "net.safetensors"),
    )
    assert said.code == 2
    assert "spec.json" in said.err
