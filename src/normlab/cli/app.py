"""The verbs, gathered. Each verb's file imports what it needs when it runs, so that every command starts at once."""

from __future__ import annotations

from typing import Annotated

import typer

from normlab.cli.check import check
from normlab.cli.compare import EXAMPLE as COMPARE_EXAMPLE
from normlab.cli.compare import compare
from normlab.cli.data import data
from normlab.cli.doctor import doctor
from normlab.cli.explain import explain
from normlab.cli.export import export
from normlab.cli.grade import grade
from normlab.cli.import_ import import_net
from normlab.cli.notebook import notebook
from normlab.cli.pack import EXAMPLE as PACK_EXAMPLE
from normlab.cli.pack import pack
from normlab.cli.report import report
from normlab.cli.reproduce import reproduce
from normlab.cli.results import EXAMPLE as RESULTS_EXAMPLE
from normlab.cli.results import results
from normlab.cli.selftest import selftest
from normlab.cli.site import EXAMPLE as SITE_EXAMPLE
from normlab.cli.site import site
from normlab.cli.study import study
from normlab.cli.verbs import FIRST, Verbs

app = typer.Typer(
    cls=Verbs,
    help="The laboratory for normalization in deep networks.",
    epilog=FIRST,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(reproduce)
app.command(epilog=COMPARE_EXAMPLE)(compare)
app.command()(report)
app.command(epilog=RESULTS_EXAMPLE)(results)
app.command()(check)
app.command()(explain)
app.command()(doctor)
app.command()(grade)
app.command(epilog=PACK_EXAMPLE)(pack)
app.command()(selftest)
app.command()(export)
app.command("import")(import_net)
app.command(epilog=SITE_EXAMPLE)(site)
app.add_typer(study, name="study")
app.add_typer(data, name="data")
app.add_typer(notebook, name="notebook")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"normlab {version('normlab')}")
        raise typer.Exit


@app.callback(epilog=FIRST)
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """The laboratory for normalization in deep networks."""
