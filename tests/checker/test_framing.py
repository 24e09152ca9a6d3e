"""Frames carry values exactly, and a reader believes nothing beyond them."""

import json
import struct

import numpy as np
import pytest

from normlab.checker.child import framing
from normlab.checker.child.framing import FrameError, Kept, Opaque


def taker(content):
    """A `take(n)` over bytes that raises EOFError where they end."""
    position = 0

    def take(count):
        nonlocal position
        part = content[position : position + count]
        if len(part) < count:
            raise EOFError
        position += count
        return part

    return take


def frame(header, body=b""):
    text = json.dumps(header).encode()
    return framing.MARK + struct.pack("<I", len(text)) + text + body


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        float("inf"),
        "text",
        (1, [2, {"a": (None,)}]),
        Kept(3, "tuple"),
        Opaque("Thing"),
        np.float64,
    ],
)
def test_plain_values_come_back_equal(value):
    assert framing.read(taker(framing.encode(value))) == value


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int64", "float16", "float32", "float64", "complex128"]
)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3), (1, 2, 3, 4)])
def test_arrays_come_back_to_the_bit(dtype, shape):
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    back = framing.read(taker(framing.encode({"x": array})))["x"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_a_view_that_is_not_contiguous_comes_back_as_it_looks():
    array = np.arange(12.0).reshape(3, 4).T[::2]
    np.testing.assert_array_equal(framing.read(taker(framing.encode(array))), array)


def test_what_cannot_travel_becomes_its_type_name():
    assert framing.read(taker(framing.encode([object(), np.array([None])]))) == [
        Opaque("object"),
        Opaque("an array of dtype object"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\n",
        framing.MARK + struct.pack("<I", 2**31) + b"x" * 100,
        framing.MARK + struct.pack("<I", 4) + b"\xff\xfe\x00\x00",
        frame([1, 2]),
        frame({"tree": {"a": 0}, "arrays": [["|O", [1]]]}, b"\0" * 8),
        frame({"tree": {"a": 0}, "arrays": [["<f8", [2**40]]]}),
        frame({"tree": {"a": 0}, "arrays": [["<f8", [-1]]]}),
        frame({"tree": {"a": 0}, "arrays": [["<f8", [2**20, 2**20]]]}),
        frame({"tree": {"a": 5}, "arrays": []}),
        frame({"tree": {"a": -1}, "arrays": [["<f8", [1]]]}, b"\0" * 8),
        frame({"tree": {"code": "import os"}, "arrays": []}),
        frame({"tree": [1], "arrays": []}),
        framing.MARK + struct.pack("<I", 60_000) + b"[" * 60_000,
    ],
)
def test_bytes_that_are_no_frame_are_refused(content):
    with pytest.raises(FrameError):
        framing.read(taker(content))


def test_a_deep_tree_is_refused():
    tree = 1
    for _ in range(100):
        tree = {"l": [tree]}
    with pytest.raises(FrameError):
        framing.read(taker(frame({"tree": tree, "arrays": []})))


@pytest.mark.parametrize("text", ["\x1b[31m", "\x07", "é\x9b", "\u202e", "\ud800", "a\rb", "\x00"])
def test_a_stripped_text_acts_on_nothing(text):
    value = framing.read(taker(framing.encode({"x": [text, "é plain\n\tγ"]})), strip=True)
    assert not any(letter in value["x"][0] for letter in "\x1b\x07\x9b\u202e\ud800\r\x00")
    assert value["x"][1] == "é plain\n\tγ"


def test_raw_bytes_of_a_forged_header_are_stripped_too():
    text = '{"tree": {"l": ["é\x7f\u202e"]}, "arrays": []}'.encode()
    content = framing.MARK + struct.pack("<I", len(text)) + text
    assert framing.read(taker(content), strip=True) == ["é\ufffd\ufffd"]
