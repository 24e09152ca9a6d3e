"""Plausible wrong arguments to every documented call: a result or a sentence."""

from pathlib import Path

import numpy as np
import pytest

from proof.wrong_types import Call, Tally, layer_calls, other_calls


@pytest.fixture
def calls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a wrong path is a right one for some
    state = np.random.get_state()
    yield [*layer_calls(), *other_calls(Path(tmp_path))]
    np.random.set_state(state)


def test_no_raw_exception_in_a_thousand_inputs(calls):
    assert len(calls) >= 70
    tally = Tally(calls)
    tally.run(1000)
    assert tally.inputs >= 1000
    assert dict(tally.raw) == {}


def test_a_raw_exception_would_be_noticed():
    tally = Tally([Call("careless", lambda x: x.shape, (np.ones(3),))])
    tally.run(50)
    assert any("AttributeError" in where for where in tally.raw)
