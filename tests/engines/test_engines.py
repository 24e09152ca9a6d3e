"""Engines are looked up, say what they do not take, and are found under the names they once had."""

from __future__ import annotations

import dataclasses

import pytest

from normlab import engines
from normlab.errors import OptionError
from normlab.specs import NetSpec, RunSpec, TrainingSpec, added_settings
from normlab.sweep import train


@pytest.mark.parametrize(("name", "former"), [("reference", "book"), ("compiled", "fast")])
def test_an_engine_has_one_name_and_is_found_under_its_former_one(name, former):
    if engines.BY_NAME[name].why_not() is not None:
        pytest.skip(engines.BY_NAME[name].why_not())
    assert engines.pick(name) is engines.pick(former) is engines.BY_NAME[name]


def test_a_history_bears_its_engine_s_name_and_provenance(data):
    spec = RunSpec(NetSpec((4,)), TrainingSpec(num_epochs=1, batch_size=40), data.spec)
    for engine in engines.BY_NAME.values():
        if engine.why_not() is None:
            (history,) = train([spec], data, workers=1, engine=engine.name)
            assert history.engine == engine.name
            assert all(name in history.provenance.machine for name in engine.provenance())


def test_a_setting_that_an_engine_does_not_know_is_refused_before_work_never_ignored(data):
    """On engines that know none of the settings added after version 1."""

    def takes(spec):
        unknown = added_settings(spec)
        return f"it does not know {', '.join(unknown)}" if unknown else None

    plain = RunSpec(NetSpec((4,)), TrainingSpec(num_epochs=1, batch_size=40), data.spec)
    spec = dataclasses.replace(
        plain, training=dataclasses.replace(plain.training, weight_decay=0.1)
    )
    old = dataclasses.replace(
        engines.REFERENCE, takes=takes, train=lambda *_: pytest.fail("trained")
    )
    with pytest.raises(OptionError, match="does not know training"):
        engines.train(old, spec, data)
    with pytest.raises(OptionError, match=r"specs\[1\]: the reference engine"):
        train([plain, spec], data, engine=old, workers=1)


def test_auto_is_the_first_engine_that_is_here_and_takes_the_run(data, monkeypatch):
    spec = RunSpec(NetSpec((4,)), data=data.spec)
    fussy = dataclasses.replace(engines.REFERENCE, name="fussy", takes=lambda _: "it takes nothing")
    absent = dataclasses.replace(engines.REFERENCE, name="absent", why_not=lambda: "it is not here")
    monkeypatch.setattr(engines, "AUTO", (absent, fussy, engines.REFERENCE))
    assert engines.pick("auto", spec) is engines.REFERENCE
    assert engines.pick("auto").name == "fussy"
    with pytest.raises(OptionError, match="it is not here"):
        engines.pick(absent)
    with pytest.raises(
        OptionError, match="the fussy engine cannot train this run: it takes nothing"
    ):
        engines.pick(fussy, spec)
