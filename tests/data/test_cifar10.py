"""CIFAR-10's batches: both editions, in folders and archives, and everything that may be wrong with them."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from normlab.data import cifar10
from normlab.errors import DataError
from proof.hostile import making
from proof.hostile.pickled import EXECUTING, a_value

COUNT = 20


def parse(content: bytes, name: str = "data_batch_1") -> tuple[np.ndarray, np.ndarray]:
    return cifar10.parse(content, name, name, COUNT)


@pytest.mark.parametrize("edition", [making.python2_batch, making.binary_batch])
def test_both_editions_give_the_same(edition):
    images, labels = making.images_and_labels(COUNT)
    got_images, got_labels = parse(edition(images, labels))
    np.testing.assert_array_equal(got_images, images)
    np.testing.assert_array_equal(got_labels, labels)
    assert got_images.dtype == np.uint8
    assert got_labels.dtype == np.int64


def pickled(**entries: object) -> bytes:
    images, labels = making.images_and_labels(COUNT)
    batch = {"batch_label": "training batch 1 of 5", "labels": labels.tolist(), "data": images}
    return pickle.dumps(
        {key: value for key, value in {**batch, **entries}.items() if value is not None}
    )


IMAGES, LABELS = making.images_and_labels(COUNT)
WRONG = {
    "empty": (b"", "has 0 bytes; a binary batch has 61,460"),
    "one record short": (making.binary_batch(IMAGES[1:], LABELS[1:]), "has 58,387 bytes"),
    "one byte short": (making.binary_batch(IMAGES, LABELS)[:-1], "has 61,459 bytes"),
    "one byte more": (making.binary_batch(IMAGES, LABELS) + b"\0", "has 61,461 bytes"),
    "binary label 10": (making.binary_batch(IMAGES, [*LABELS[:4], 10, *LABELS[5:]]), "label 5 is 10; classes"),
    "binary label 255": (making.binary_batch(IMAGES, [*LABELS[:-1], 255]), "label 20 is 255"),
    "label 10": (pickled(labels=[10] * COUNT), "label 1 is 10; classes are numbered 0 to 9"),
    "label 255": (pickled(labels=[1] * 19 + [255]), "label 20 is 255"),
    "label -1": (pickled(labels=[1, -1] * 10), "label 2 is -1"),
    "label of 8 bytes": (pickled(labels=[2**62] * COUNT), "label 1 is 4611686018427387904"),
    "label True": (pickled(labels=[True] * COUNT), "not a list of whole numbers"),
    "label None": (pickled(labels=[None] * COUNT), "not a list of whole numbers"),
    "label in a list": (pickled(labels=[[1]] * COUNT), "not a list of whole numbers"),
    "labels as a tuple": (pickled(labels=(1,) * COUNT), "not a list of whole numbers"),
    "labels as a text": (pickled(labels="1" * COUNT), "not a list of whole numbers"),
    "one label short": (pickled(labels=[1] * 19), "has 19 labels for 20 images"),
    "one label more": (pickled(labels=[1] * 21), "has 21 labels for 20 images"),
    "no labels": (pickled(labels=[]), "has 0 labels for 20 images"),
    "no entry labels": (pickled(labels=None), "has no entry 'labels'; it has 'batch_label', 'data'"),
    "CIFAR-100": (pickled(labels=None, fine_labels=[1], coarse_labels=[1]), "it has .*'fine_labels'"),
    "no entry data": (pickled(data=None), "has no entry 'data'"),
    "batches.meta": (pickle.dumps({"label_names": ["airplane"], "num_vis": 3072}), "it has 'label_names', 'num_vis'"),
    "data as a list": (pickled(data=[[0] * 3072] * COUNT), "data are not an array of bytes"),
    "data as bytes": (pickled(data=IMAGES.tobytes()), "data are not an array of bytes"),
    "data of other images": (pickled(data=IMAGES[:, :784]), r"shape \(20, 784\), expected is \(20, 3072\)"),
    "data in four dimensions": (pickled(data=IMAGES.reshape(-1, 3, 32, 32)), r"the shape \(20, 3, 32, 32\)"),
    "data as floats": (pickled(data=IMAGES.astype(float)), "does not describe an array of bytes"),
    "data as int8": (pickled(data=IMAGES.astype(np.int8)), "does not describe an array of bytes"),
    "data as objects": (pickled(data=IMAGES.astype(object)), "."),
    "a PNG": (b"\x89PNG\r\n\x1a\n" + bytes(99), "has 107 bytes; a binary batch has"),
    "another batch": (pickled(batch_label="training batch 2 of 5"), "mislabelled: .* it is data_batch_2"),
    "the test batch": (pickled(batch_label=b"testing batch 1 of 1"), "mislabelled: .* it is test_batch"),
    "a program": (a_value(EXECUTING["reduce"]), "asks for 'os.system'"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG.keys())
def test_refuses_and_says_why(content, said):
    with pytest.raises(DataError, match=rf"^data_batch_1.*{said}"):
        parse(content)


def test_a_batch_label_binds_only_official_names():
    content = pickled(batch_label="training batch 2 of 5")
    assert len(parse(content, "data_batch_2")[0]) == len(parse(content, "my_own_batch")[0]) == COUNT


def test_batches_without_batch_label_and_file_names():
    assert len(parse(pickled(batch_label=None))[0]) == COUNT
    assert len(parse(pickled(batch_label="made by hand"))[0]) == COUNT


def check(chunks, synthetic):
    """All 60,000 images and labels, each in its place, in whatever order the chunks come."""
    firsts = []
    for chunk in chunks:
        these = slice(chunk.first, chunk.first + 10_000)
        images = (synthetic.train if chunk.split == "train" else synthetic.test)[these]
        labels = (synthetic.y_train if chunk.split == "train" else synthetic.y_test)[these]
        assert np.array_equal(chunk.images.reshape(-1, 3072), images)
        assert np.array_equal(chunk.labels, labels)
        firsts.append((chunk.split, chunk.first))
    assert sorted(firsts) == [
        ("test", 0),
        *(("train", first) for first in range(0, 50_000, 10_000)),
    ]


def test_a_folder_of_pickles(synthetic):
    check(cifar10.chunks(synthetic.folder / "cifar-10-batches-py"), synthetic)


def test_an_archive_of_records(synthetic):
    check(cifar10.chunks(synthetic.folder / "binary" / "cifar-10-binary.tar.gz"), synthetic)


@pytest.fixture
def copy(synthetic, tmp_path) -> Path:
    """A folder of links to the synthetic batches, to be spoilt."""
    for path in (synthetic.folder / "cifar-10-batches-py").iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def test_a_missing_batch(copy):
    (copy / "data_batch_4").unlink()
    with pytest.raises(DataError, match="data_batch_4 is missing"):
        list(cifar10.chunks(copy))


def test_a_copy_under_another_name(copy):
    (copy / "data_batch_2").unlink()
    shutil.copy(copy / "data_batch_1", copy / "data_batch_2")
    with pytest.raises(
        DataError,
        match=r"data_batch_2 is mislabelled: .*'training batch 1 of 5', it is data_batch_1",
    ):
        list(cifar10.chunks(copy))


def test_a_copy_that_hides_its_label_upsets_the_classes(synthetic, copy):
    """Records carry no label of their batch; the number of images of each class gives a copy away."""
    (copy / "data_batch_2").unlink()
    copied = making.binary_batch(synthetic.train[:10_000], synthetic.y_train[:10_000])
    (copy / "data_batch_2").write_bytes(copied)
    with pytest.raises(
        DataError, match=r"does not hold the data set its name says.*\[10000, 10000, 0, 0, 5000"
    ):
        list(cifar10.chunks(copy))


def test_a_truncated_batch_names_its_file(copy):
    whole = (copy / "data_batch_3").read_bytes()
    (copy / "data_batch_3").unlink()
    (copy / "data_batch_3").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        DataError, match=r"data_batch_3 is not a CIFAR-10 batch: at byte .* truncated"
    ):
        list(cifar10.chunks(copy))


def test_a_batch_that_is_far_too_large(copy):
    (copy / "data_batch_1").unlink()
    with open(copy / "data_batch_1", "wb") as file:
        file.truncate(10**12)  # a hole: takes no room on the disk
    with pytest.raises(DataError, match="data_batch_1 is larger than 50,331,648 bytes"):
        list(cifar10.chunks(copy))


def archive(tmp_path: Path, names: list[str], size: int = 100) -> Path:
    path = tmp_path / "archive.tar.gz"
    path.write_bytes(making.tar_gz((name, bytes(size)) for name in names))
    return path


def test_an_archive_without_batches(tmp_path):
    with pytest.raises(DataError, match=r"lacks data_batch_1, .*, test_batch"):
        list(
            cifar10.chunks(
                archive(tmp_path, ["cifar-100-python/train", "data_batch_1", "x/data_batch_2"])
            )
        )


def test_an_archive_names_the_batch_that_is_wrong(tmp_path):
    with pytest.raises(
        DataError, match=r"archive\.tar\.gz: cifar-10-batches-bin/data_batch_1\.bin has 100 bytes"
    ):
        list(cifar10.chunks(archive(tmp_path, ["cifar-10-batches-bin/data_batch_1.bin"])))


def test_an_archive_with_both_editions(tmp_path):
    names = ["cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-py/data_batch_1"]
    with pytest.raises(DataError, match="holds the batch data_batch_1 in both editions"):
        list(cifar10.chunks(archive(tmp_path, names, 30_730_000)))


def test_the_real_images(real_cifar10):
    """The first image of the training set is a frog, and half of its first pixel row is known to every student."""
    first = next(
        chunk
        for chunk in cifar10.chunks(real_cifar10)
        if chunk.first == 0 and chunk.split == "train"
    )
    assert first.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert first.images[0, :, 0, 0].tolist() == [59, 62, 63]
