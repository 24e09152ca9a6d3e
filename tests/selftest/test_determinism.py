"""The same bits where they are promised; and bits that do differ, or records that confuse them, are told."""

from __future__ import annotations

import sys

import pytest

from normlab import machine
from normlab.selftest import bits, determinism


def test_norm_layers_and_kernels_give_the_same_bits_under_every_setting():
    chosen = determinism.settings(full=False)
    few = [words for words in chosen if words.startswith(("as", "core type Nehalem", "NumPy"))]
    found = {words: determinism.bits_under(chosen[words]) for words in few}
    layers, kernels = determinism.norm_layers(found), determinism.fused_kernels(found)
    assert layers.holds is True, layers
    assert kernels.holds is not False, kernels
    assert determinism.across_settings(found).holds is True
    if "core type Nehalem" in found:  # the setting did reach the library
        assert found["core type Nehalem"]["settings"]["blas"][0]["core_type"] == "Nehalem"
    if machine.simd():
        (without,) = (each for words, each in found.items() if words.startswith("NumPy without"))
        assert without["settings"]["simd"] == []


def test_training_is_the_same_in_any_order_alone_and_resumed():
    assert (
        bits.trainings("reference", 1)
        == bits.trainings("reference", 1, -1)
        == bits.trained_alone("reference")
    )
    assert len(set(bits.trainings("reference", 1).values())) == 6  # six runs that are not alike
    resumed = determinism.resumed()
    assert resumed.holds is True, resumed
    assert resumed.cases == 4


def test_a_layout_that_changes_a_bit_is_told(monkeypatch):
    monkeypatch.setitem(bits.LAYOUTS, "another bit", lambda array: array * (1 + 2**-20))
    digests = bits.norm_layers()
    assert len({digests[name] for name in ("rows", "columns", "every other", "backwards")}) == 1
    row = determinism._one_result("the same", digests, "")
    assert (row.holds, row.measured, row.note) == (
        False,
        "2 results over 5",
        "other bits: another bit",
    )


def test_different_bits_under_one_record_are_told():
    settings = {"blas": [{"core_type": "Haswell"}], "simd": ["X86_V3"]}
    found = {"one": {"settings": settings, "trainings": {"run": "a"}}}
    found["other"] = {"settings": settings, "trainings": {"run": "b"}}
    row = determinism.across_settings(found)
    assert (row.holds, row.note) == (False, "one and other")
    found["other"]["settings"] = settings | {"simd": []}
    assert determinism.across_settings(found).holds is True


@pytest.mark.skipif(sys.platform != "linux", reason="names the C library as Linux has it")
def test_the_record_names_the_c_library_and_numpys_instruction_sets():
    described = machine.machine()
    assert described["libc"]
    assert set(described["simd"]) <= machine.instruction_sets()
