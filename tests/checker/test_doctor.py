"""The doctor finds what is planted in a model, with evidence, and nothing in a healthy one."""

import json

import pytest

from normlab.checker.doctor import doctor
from normlab.errors import OptionError, UserError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

MODELS = """
import torch
from torch import nn

def trained(net, x, steps=60):
    net.train()
    for _ in range(steps):
        net(x)
    return net, x

def data(shift=1.0):
    return torch.randn(256, 20, generator=torch.Generator().manual_seed(1)) * 2 + shift

def plain():
    return nn.Sequential(nn.Linear(20, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, 3))

def healthy():
    return trained(plain(), data())

def fresh():
    return plain(), data()

def moved():
    net, x = healthy()
    return net, x * 3 + 5

def no_affine_training():
    net, x = healthy()
    net[1].weight.requires_grad = False
    return net, x

class Stubborn(nn.Sequential):
    def train(self, mode=True):
        super().train(mode)
        self[1].eval()
        return self

def in_eval():
    return trained(Stubborn(*plain()), data())

class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(20, 20), nn.BatchNorm1d(20)
    def forward(self, x):
        return self.norm(self.fc(torch.relu(self.norm(x))))

def shared():
    return trained(Twice(), data())

def momentum_upside_down():
    net = plain()
    net[1].momentum = 0.9
    return trained(net, data())

def convolution():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2))

def loader():
    net, x = healthy()
    return net, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x), batch_size=128)

def number():
    return 3

model = healthy()[0]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.py"
    path.write_text(MODELS)
    return path


def kinds(file, name, **options):
    found = doctor(f"{file}:{name}", **options)
    assert all(trouble.evidence for trouble in found.troubles)
    return {trouble.kind for trouble in found.harmful}, found


def test_a_healthy_model_has_no_trouble(file):
    found, report = kinds(file, "healthy", examples=256, batch_size=64)
    assert found == set()
    assert report.own_data
    assert report.layers == ("1",)
    assert "nothing found" in str(report)
    assert [trouble.kind for trouble in report.troubles] == ["batch of one"]
    assert json.loads(report.to_json())["input_shape"] == [256, 20]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fresh", "stale"),
        ("moved", "stale"),
        ("moved", "gap"),
        ("no_affine_training", "frozen"),
        ("in_eval", "frozen"),
        ("shared", "shared"),
        ("momentum_upside_down", "stale"),
    ],
)
def test_a_planted_trouble_is_found(name, kind, file):
    assert kind in kinds(file, name)[0]


def test_the_last_batch_is_counted(file):
    assert kinds(file, "healthy", examples=1001, batch_size=100)[0] == {"last batch"}
    assert kinds(file, "healthy", examples=1003, batch_size=100)[0] == {"last batch"}
    assert kinds(file, "healthy", examples=1000, batch_size=4)[0] == {"last batch"}
    assert kinds(file, "healthy", examples=1050, batch_size=100)[0] == set()


def test_models_loaders_and_invented_inputs_are_taken(file):
    assert kinds(file, "loader")[0] == set()
    _, report = kinds(file, "model")
    assert not report.own_data
    assert report.input_shape == (64, 20)
    _, report = kinds(file, "convolution", shape=[3, 8, 8])
    assert report.input_shape == (64, 3, 8, 8)


def test_what_cannot_be_examined_is_a_sentence(file):
    with pytest.raises(OptionError, match=r"model\.py:build"):
        doctor(file)
    with pytest.raises(UserError, match="there is no 'nothing'"):
        doctor(f"{file}:nothing")
    with pytest.raises(UserError, match="gives int"):
        doctor(f"{file}:number")
    with pytest.raises(UserError, match="does not take an input of shape"):
        doctor(f"{file}:model", shape=[7])
