"""Records outlive programs: a file that version 1 wrote is found whole, for ever.

`version_1.sqlite` was written by normlab 0.1.0: ten runs of every norm, rule and type, one that diverged, two
measurements and the plan of a sweep. It is never written anew.
"""

import shutil
from pathlib import Path

import pytest

from normlab.records import Records
from normlab.specs import RunSpec

VERSION_1 = Path(__file__).with_name("version_1.sqlite")
DIGEST_1 = "d1b40723375dae7e19256cdfe46f8dff50c13d29bfc93b8f8ff927e26b97da21"


@pytest.fixture(params=["r", "a"])
def old(request, tmp_path):
    with Records(shutil.copy(VERSION_1, tmp_path), mode=request.param) as records:
        yield records


def test_each_run_is_found_under_the_key_that_its_spec_has_today(old):
    keys = set()
    for spec, history in old:
        assert RunSpec.from_json(spec.to_json()) == spec
        assert old.get(spec.key) == history
        keys.add(spec.key)
    assert keys == set(old.keys())
    assert len(old) == len(keys) == 11


def test_what_was_measured_is_what_is_read(old):
    assert old.digest() == DIGEST_1
    assert len(list(old.measurements())) == 2
    assert len(old.sweeps()) == 2
    assert {row["normalization"] for row in old.export_rows()} == {
        None, "batchnorm", "layernorm", "rmsnorm", "groupnorm",
    }  # fmt: skip


def test_a_measurement_of_a_run_is_found_by_what_was_measured(old):
    from normlab.specs import DataSpec
    from normlab.studies.observations import demonstration_text, spec_text

    texts = {kind: text for _, kind, text, _ in old.measurements()}
    spec = RunSpec.from_json(texts["first step"])
    assert spec_text(spec) == texts["first step"]
    data: DataSpec = spec.data
    assert demonstration_text({"preprocessing": "whitened"}, data, 231) == texts["preprocessing"]
