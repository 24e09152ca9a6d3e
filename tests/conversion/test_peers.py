"""The snippets, executed: PyTorch, Keras and ONNX Runtime give the scores that the net gives here."""

from __future__ import annotations

import numpy as np
import pytest

from normlab.conversion import ForeignNetError, export_net, import_net
from normlab.conversion.files import LIBRARIES
from normlab.conversion.net_parts import take_apart
from normlab.conversion.pytorch import state_dict
from proof.elsewhere import missing, outputs_there, run_elsewhere
from proof.round_trips import BOUNDS, ONNX_FLOAT64, relative_difference, rows

from .conftest import NETS


def need(*libraries):
    for library in libraries:
        if absent := missing(library):
            pytest.skip(f"not installed: {absent}")


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_library_gives_the_same_scores(library, tmp_path, X):
    need(library)
    found = outputs_there(library, NETS, X, tmp_path)
    for name, net in NETS.items():
        bound = (
            ONNX_FLOAT64
            if library == "onnx" and net.dtype == np.float64
            else BOUNDS[str(net.dtype)]
        )
        if library == "keras" and net.normalization:  # Keras computes norms in float32
            bound = BOUNDS["float32"]
        assert relative_difference(found[name], net.loss(X)) <= bound, name


RETURN = """
import sys
import torch
from safetensors import safe_open
from safetensors.torch import save_file

exec(open(sys.argv[1]).read())
assert net.state_dict().keys() == load_file(sys.argv[2]).keys()
x = torch.from_numpy(__import__("numpy").load(sys.argv[3]))
net.train()
net(x)  # one batch more
net.eval()
save_file(net.state_dict(), sys.argv[4], metadata=safe_open(sys.argv[2], 'pt').metadata())
__import__("numpy").save(sys.argv[5], net(x).detach().numpy())
"""


@pytest.mark.parametrize("name", ["batchnorm, float32", "batchnorm, float64", "groupnorm, float64"])
def test_a_net_that_learned_in_pytorch_gives_its_new_scores_here(name, tmp_path, X):
    need("torch")
    net = NETS[name]
    paths = [
        str(tmp_path / each)
        for each in ("code.py", "net.safetensors", "x.npy", "back.safetensors", "y.npy")
    ]
    code = export_net(net, paths[1], "torch")
    (tmp_path / "code.py").write_text(code)
    np.save(paths[2], X.astype(net.dtype))
    run_elsewhere(RETURN, *paths)
    back = import_net(paths[3], "torch")
    assert relative_difference(np.load(paths[4]), back.loss(X)) <= BOUNDS[str(net.dtype)]
    if net.normalization == "batchnorm":
        assert back.bn_params[0]["num_batches_tracked"] == 1
        # PyTorch's own step from our value: unbiased, the new one weighted with 0.1
        h = X.astype(net.dtype) @ net.params["W1"] + net.params["b1"]
        expected = 0.9 * net.bn_params[0]["running_var"] + 0.1 * h.var(
            axis=0, ddof=1, dtype=np.float64
        )
        np.testing.assert_allclose(back.bn_params[0]["running_var"], expected, rtol=1e-5)


EXPORT = """
import sys, warnings
import numpy as np, torch

warnings.simplefilter("ignore")
torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Flatten(), torch.nn.Linear(6, 12), torch.nn.BatchNorm1d(12, eps=1e-3), torch.nn.ReLU(),
    torch.nn.Dropout(0.5), torch.nn.Linear(12, 4),
)
net(torch.randn(50, 6))
net.eval()
x = torch.from_numpy(np.load(sys.argv[1]).astype("f"))
np.save(sys.argv[2], net(x).detach().numpy())
torch.onnx.export(net, (x,), sys.argv[3], dynamo=False, training=torch.onnx.TrainingMode.PRESERVE,
                  do_constant_folding=False, dynamic_axes={})
torch.save(net.state_dict(), sys.argv[4])
"""


def test_what_pytorch_exports_itself_is_refused(tmp_path, X):
    need("torch")
    pytest.importorskip("onnx", reason="onnx is not installed")
    paths = [str(tmp_path / each) for each in ("x.npy", "y.npy", "net.onnx", "net.bin")]
    np.save(paths[0], X)
    run_elsewhere(EXPORT, *paths)
    with pytest.raises(ForeignNetError, match="has no label of normlab"):
        import_net(paths[2], "onnx")
    with pytest.raises(ForeignNetError, match="is a pickle"):
        import_net(paths[3], "torch")


def test_every_tensor_of_every_net_has_the_type_of_its_net():
    for net in NETS.values():
        types = {
            value.dtype
            for name, value in state_dict(take_apart(net)).items()
            if "tracked" not in name
        }
        assert types == {net.dtype}


def test_the_self_test_s_rows_hold_or_say_why_they_could_not_be_measured():
    for row in rows(full=False):
        assert row.holds or (row.holds is None and row.note.startswith("not installed")), row
        assert row.area == "conversion"
