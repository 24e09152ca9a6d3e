"""Studies from files: templates that work as they are, TOML without code, and sentences for what is wrong."""

import pytest

from normlab.cli.app import app
from normlab.data import load as load_data
from normlab.errors import OptionError
from normlab.studies import check, grid, load
from normlab.studies.loading import template
from normlab.studies.stored import from_json, to_json


@pytest.mark.parametrize("ending", [".toml", ".py"])
def test_the_template_is_a_study_as_it_stands(tmp_path, ending):
    file = template(tmp_path / f"own{ending}")
    study = load(file)
    assert study.name == "own-rates"
    assert len(grid.points(study)) == 6
    price = check(study, load_data("digits").spec)
    assert (price.nets, price.problems) == (60, ())
    assert from_json(to_json(study)).claims == study.claims
    with pytest.raises(OptionError, match="exists already and is left as it is"):
        template(file)


def test_a_template_needs_an_ending_and_a_folder(tmp_path):
    with pytest.raises(OptionError, match=r"neither \.py nor \.toml"):
        template(tmp_path / "study.txt")
    with pytest.raises(OptionError, match="a folder that exists"):
        template(tmp_path / "nowhere" / "study.toml")


def changed(tmp_path, old, new):
    text = template(tmp_path / "own.toml").read_text()
    assert old in text
    file = tmp_path / "changed.toml"
    file.write_text(text.replace(old, new))
    return file


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[fixed]", "[fixd]", "'fixd', which means nothing here; did you mean 'fixed'"),
        ('"batchnorm"]', '"batch"]', "did you mean 'batchnorm'"),
        ('field = "learning_rate"', 'field = "learning_rat"', "learning_rat"),
        ('measure = "loss"', 'measure = "los"', "did you mean 'loss'"),
        (
            'where = { norm = "batch norm" }, best',
            'where = { nrm = "batch norm" }, best',
            "there is no axis 'nrm'",
        ),
        ("{left}, the plain net", "{lft}, the plain net", "{lft}"),
        ("x_log = true", "xlog = true", "'xlog', which means nothing here"),
        ('statement = "Each', 'statment = "Each', "statment"),
        ("hidden_dims = [100, 100, 100]", "hidden_dims = 100", "hidden_dims"),
        ("seeds = 10", "seeds = ", "it is not TOML"),
        ('question = "', 'querstion = "', "querstion"),
        ("why = ", "holds_not = ", "holds_not"),
        ("[[claim]]", "[[clam]]", "clam"),
        ('rests_on = ["stands a large rate"]', 'rests_on = ["stands"]', "stands"),
    ],
)
def test_what_is_wrong_with_a_toml_study_is_said_before_a_net_is_trained(tmp_path, old, new, words):
    with pytest.raises(OptionError) as caught:
        load(changed(tmp_path, old, new))
    assert words in str(caught.value)
    assert "changed.toml" in str(caught.value)


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(OptionError, match="cannot be read"):
        load(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes('name = "é"'.encode("latin-1"))
    with pytest.raises(OptionError, match="not UTF-8"):
        load(tmp_path / "latin.toml")


def run(*words):
    from typer.testing import CliRunner

    return CliRunner().invoke(app, [str(word) for word in words])


def test_new_check_run_and_report_by_the_command_line(tmp_path):
    """From a template to a page, and the page again from the records alone."""
    file = tmp_path / "own.toml"
    assert run("study", "new", file).exit_code == 0
    text = (
        file.read_text()
        .replace("[100, 100, 100]", "[8]")
        .replace("num_epochs = 5", "num_epochs = 1")
    )
    file.write_text(text.replace("values = [1e-3, 1e-2, 1e-1]", "values = [1e-2, 1e-1]"))
    checked = run("study", "check", file)
    assert checked.exit_code == 0, checked.output
    assert "It trains 40 nets, and up to 160 where claims stay open" in checked.output
    out = tmp_path / "out"
    done = run("study", "run", file, "--seeds", 3, "--out", out, "--workers", 1)
    assert done.exit_code == 0, done.output
    page = (out / "index.html").read_text()
    assert "Each norm at its own learning rate" in page
    file.unlink()
    assert run("report", out).exit_code == 0
    assert "Each norm at its own learning rate" in (out / "index.html").read_text()


def test_a_wrong_study_file_ends_the_command_before_anything_is_made(tmp_path):
    file = changed(tmp_path, "[fixed]", "[fixd]")
    for words in (("study", "check", file), ("study", "run", file, "--out", tmp_path / "out")):
        result = run(*words)
        assert isinstance(result.exception, OptionError)
    assert not (tmp_path / "out").exists()


def test_claims_that_these_seeds_cannot_decide_are_named(tmp_path):
    file = template(tmp_path / "own.toml")
    result = run("study", "check", file, "--seeds", 2)
    assert result.exit_code == 1
    assert "2 seeds decide no claim" in result.output
