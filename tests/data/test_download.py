"""Downloads: verified, all or nothing, never over what is there; without network, an error that helps."""

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from normlab.data import fetch
from normlab.data.data_sets import BY_NAME
from normlab.errors import DataError, OptionError

pytestmark = pytest.mark.filterwarnings("error")


def small(monkeypatch: pytest.MonkeyPatch, name: str) -> dict[str, bytes]:
    """Makes the publisher offer small files; returns them by address."""
    offered, remotes = {}, []
    for remote in BY_NAME[name].remotes:
        content = remote.name.encode() * 10
        remotes.append(remote._replace(md5=hashlib.md5(content).hexdigest()))
        offered |= dict.fromkeys(remote.addresses, content)
    monkeypatch.setitem(BY_NAME, name, replace(BY_NAME[name], remotes=tuple(remotes)))
    return offered


class Network:
    """A downloader that serves from memory and remembers what was asked."""

    def __init__(self, offered: dict[str, bytes], broken: tuple[str, ...] = ()) -> None:
        self.offered, self.broken = offered, broken
        self.asked: list[str] = []

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        self.asked.append(url)
        if any(part in url for part in self.broken):
            Path(output_file).write_bytes(b"half")
            raise ConnectionError("the line is dead")
        Path(output_file).write_bytes(self.offered[url])


def test_the_publishers_hashes():
    """As published with the data sets; a digit wrong here would refuse every download."""
    assert [remote.md5 for name in ("cifar10", "mnist") for remote in BY_NAME[name].remotes] == [
        "c32a1d4ab5d03f1284b67883e8d87530",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ]


def test_cifar10_arrives_and_is_found(tmp_path, monkeypatch):
    network = Network(small(monkeypatch, "cifar10"))
    place = fetch("cifar10", tmp_path / "new" / "folder", network)
    assert place == tmp_path / "new" / "folder" / "cifar-10-binary.tar.gz"
    assert place.read_bytes() == b"cifar-10-binary.tar.gz" * 10
    assert network.asked == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]
    assert os.listdir(place.parent) == [place.name]  # no temporary file is left
    assert os.name == "nt" or stat.S_IMODE(place.stat().st_mode) == 0o644


def test_mnist_arrives_in_its_own_folder(tmp_path, monkeypatch):
    network = Network(small(monkeypatch, "mnist"))
    assert fetch("mnist", tmp_path, network) == tmp_path / "mnist"
    assert len(list((tmp_path / "mnist").iterdir())) == len(network.asked) == 4


def test_what_is_there_is_not_fetched_again(tmp_path, monkeypatch):
    network = Network(small(monkeypatch, "mnist"))
    fetch("mnist", tmp_path, network)
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    fetch("mnist", tmp_path, network)
    assert len(network.asked) == 5
    assert network.asked[-1].endswith("t10k-labels-idx1-ubyte.gz")


def test_a_second_address_helps_out(tmp_path, monkeypatch):
    network = Network(small(monkeypatch, "mnist"), broken=("amazonaws",))
    fetch("mnist", tmp_path, network)
    assert len(network.asked) == 8


def test_without_network_it_says_what_to_do(tmp_path, monkeypatch):
    network = Network(small(monkeypatch, "cifar10"), broken=("https",))
    with pytest.raises(DataError) as caught:
        fetch("cifar10", tmp_path, network)
    text = str(caught.value)
    for fact in (
        "could not be downloaded",
        "the line is dead",
        "Without network",
        "cs.toronto.edu",
        str(tmp_path),
        "cifar-10-python.tar.gz",
    ):
        assert fact in text
    assert list(tmp_path.iterdir()) == []


def test_the_wrong_content_is_thrown_away(tmp_path, monkeypatch):
    offered = small(monkeypatch, "cifar10")
    with pytest.raises(DataError, match="what arrived is not the publisher's file, by its MD5"):
        fetch("cifar10", tmp_path, Network(dict.fromkeys(offered, b"<html>please log in</html>")))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(tmp_path, monkeypatch):
    small(monkeypatch, "cifar10")

    def interrupted(_url: str, output_file: str, _pooch: object) -> None:
        Path(output_file).write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("cifar10", tmp_path, interrupted)
    assert list(tmp_path.iterdir()) == []


def test_a_persons_file_is_not_replaced(tmp_path, monkeypatch):
    network = Network(small(monkeypatch, "cifar10"))
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"my own")
    with pytest.raises(
        DataError,
        match=r"is there already, and is not the publisher's file.*nothing was downloaded",
    ):
        fetch("cifar10", tmp_path, network)
    assert (tmp_path / "cifar-10-binary.tar.gz").read_bytes() == b"my own"
    assert network.asked == []


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    network = Network(small(monkeypatch, "cifar10"))
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch("cifar10", tmp_path / "file", network)


def test_digits_need_no_download():
    with pytest.raises(
        OptionError, match="digits is inside the package: there is nothing to download"
    ):
        fetch("digits")


def test_the_default_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NORMLAB_DATA", str(tmp_path))
    assert fetch("cifar10", downloader=Network(small(monkeypatch, "cifar10"))).parent == tmp_path
