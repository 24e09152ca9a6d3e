"""Where data sets are looked for, and what is said when they are nowhere."""

from pathlib import Path

import pytest

from normlab.data import default_folder, find
from normlab.errors import DataError, OptionError

FOLDERS = ["cifar-10-batches-py", "cifar-10-batches-bin"]
ARCHIVES = ["cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"]
MNIST = "train-images-idx3-ubyte"


def put(path: Path) -> Path:
    """A folder with a batch, or a file where the name has a dot or is MNIST's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if "." in path.name or path.name == MNIST or path.name.startswith("data_batch"):
        path.write_bytes(b"x")
    else:
        path.mkdir()
        (path / f"data_batch_3{'.bin' if path.name.endswith('bin') else ''}").write_bytes(b"x")
    return path


@pytest.mark.parametrize("name", FOLDERS + ARCHIVES)
def test_all_four_forms_of_cifar10(tmp_path, name):
    place = put(tmp_path / name)
    assert find("cifar10", tmp_path) == place
    assert find("cifar10", str(tmp_path)) == place


def test_the_folder_or_archive_itself_may_be_named(tmp_path):
    archive = put(tmp_path / "my copy.tar.gz")
    assert find("cifar10", archive) == archive
    for number, name in enumerate(["data_batch_1", "data_batch_1.bin"]):
        assert find("cifar10", put(tmp_path / str(number) / name).parent) == tmp_path / str(number)


def test_folders_come_before_archives(tmp_path):
    put(tmp_path / "cifar-10-binary.tar.gz")
    folder = put(tmp_path / "cifar-10-batches-py")
    assert find("cifar10", tmp_path) == folder


@pytest.mark.parametrize("name", [MNIST, MNIST + ".gz"])
@pytest.mark.parametrize("inside", ["", "mnist"])
def test_mnist_in_its_folder_or_one_above(tmp_path, inside, name):
    place = put(tmp_path / inside / name)
    assert find("mnist", tmp_path) == place.parent


@pytest.mark.parametrize("root", ["cs682/datasets", "cs231n/datasets", "."])
def test_the_assignments_own_places(root):
    place = put(Path.cwd() / root / "cifar-10-batches-py")
    assert find("cifar10") == place


def test_downloads_are_found_without_being_named():
    assert "normlab" in default_folder().name
    place = put(default_folder() / "cifar-10-binary.tar.gz")
    assert find("cifar10") == place


def test_the_variable_names_the_only_place(tmp_path, monkeypatch):
    put(Path.cwd() / "cifar-10-batches-py")
    monkeypatch.setenv("NORMLAB_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"\(which NORMLAB_DATA names\)"):
        find("cifar10")
    place = put(tmp_path / "cifar-10-batches-py")
    assert find("cifar10") == place
    assert default_folder() == tmp_path


def test_the_argument_comes_before_the_variable(tmp_path, monkeypatch):
    put(tmp_path / "a" / "cifar-10-batches-py")
    place = put(tmp_path / "b" / "cifar-10-batches-py")
    monkeypatch.setenv("NORMLAB_DATA", str(tmp_path / "a"))
    assert find("cifar10", tmp_path / "b") == place
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match="was not found"):
        find("cifar10", tmp_path / "c")


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("NORMLAB_DATA", "")
    place = put(Path.cwd() / "cifar-10-batches-py")
    assert find("cifar10") == place


def test_the_tilde_is_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    place = put(tmp_path / "cifar-10-batches-py")
    assert find("cifar10", "~") == place


def test_says_where_it_looked_and_what_to_do():
    with pytest.raises(DataError) as caught:
        find("cifar10")
    text = str(caught.value)
    for fact in (
        *FOLDERS,
        *ARCHIVES,
        str(Path.cwd() / "cs682" / "datasets"),
        str(default_folder()),
        "`normlab data fetch cifar10`",
        "--data-dir FOLDER",
        "NORMLAB_DATA",
    ):
        assert fact in text
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        find("mnist")


def test_a_folder_that_does_not_exist():
    with pytest.raises(DataError, match="the data folder '/no/such/folder' does not exist"):
        find("mnist", "/no/such/folder")


def test_digits_are_always_there(tmp_path):
    assert find("digits", tmp_path / "anything").is_file()


def test_an_unknown_name():
    with pytest.raises(OptionError, match=r"did you mean 'mnist'\?"):
        find("mnits")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        # torchvision's roots, Keras's cache, and folders of folders
        ("mnist", "MNIST/raw/train-images-idx3-ubyte"),
        ("mnist", "torch/data/MNIST/raw/train-images-idx3-ubyte.gz"),
        ("mnist", "mnist.npz"),
        ("mnist", ".keras/datasets/mnist.npz"),
        ("mnist", "train-images.idx3-ubyte"),
        ("mnist", "mnist/train-images.idx3-ubyte.gz"),
        ("mnist", "train-images-idx3-ubyte (1).gz"),
        ("mnist", "train-images-idx3-ubyte.gz (2)"),
        ("cifar10", "cifar-10-python.tar"),
        ("cifar10", "cifar-10-binary (1).tar.gz"),
        ("cifar10", "cifar-10-python.tgz"),
        ("cifar10", "cifar-10-batches-py.tar.gz"),
        ("cifar10", "data/cifar-10-binary.tar.gz"),
        ("cifar10", "a/b/c/cifar-10-batches-py"),
        ("cifar10", "cifar-10-batches-py-target/cifar-10-batches-py"),
        ("cifar10", "cifar-10-batches-py/cifar-10-batches-py"),
    ],
)
def test_other_libraries_layouts_and_downloads(tmp_path, name, where):
    place = put(tmp_path / where)
    expected = place if place.is_dir() or name == "cifar10" or "npz" in where else place.parent
    start = tmp_path / where.split("/")[0] if where.startswith(".") else tmp_path
    assert find(name, start) == expected
    assert find(name, place.parent) == expected


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_an_empty_file_hides_nothing(tmp_path, name):
    empty, whole = {
        "cifar10": ("cifar-10-batches-py/data_batch_1", "cifar-10-binary.tar.gz"),
        "mnist": ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"),
    }[name]
    (tmp_path / empty).parent.mkdir(exist_ok=True)
    (tmp_path / empty).touch()
    place = put(tmp_path / whole)
    assert find(name, tmp_path) == (place if name == "cifar10" else tmp_path)


def test_an_empty_file_is_named_where_there_is_no_other(tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").touch()
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(
        DataError, match=r"holds 'train-images-idx3-ubyte.gz' \(0 bytes\), 'notes.txt'"
    ):
        find("mnist", tmp_path)


def test_what_is_there_instead_is_said(tmp_path):
    for name in ("cifar-100-python.tar.gz", *"abcdefgh"):
        (tmp_path / name).write_text("x")
    with pytest.raises(
        DataError, match=r"holds 'cifar-100-python.tar.gz', 'a', .* and 3 more\. Download it"
    ):
        find("cifar10", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty is empty"):
        find("mnist", tmp_path / "empty")


def test_another_data_set_of_the_same_names_is_passed_by(tmp_path):
    put(tmp_path / "FashionMNIST" / "raw" / MNIST)
    put(tmp_path / "KMNIST" / "raw" / MNIST)
    with pytest.raises(DataError, match="was not found"):
        find("mnist", tmp_path)
    put(tmp_path / "x" / "MNIST" / "raw" / MNIST)
    assert find("mnist", tmp_path) == tmp_path / "x" / "MNIST" / "raw"


def test_a_folder_that_nobody_named_is_not_searched_in_depth():
    put(Path.cwd() / "elsewhere" / "deep" / "cifar-10-batches-py")
    with pytest.raises(DataError, match="was not found"):
        find("cifar10")
