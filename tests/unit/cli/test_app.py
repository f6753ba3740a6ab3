"""The command's frame: errors on one line, exit codes, and a help that is quick."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from tokenkit.cli import app as application
from tokenkit.cli.app import TokenkitGroup, main, show_error
from tokenkit.errors import InvalidValues

RUNNER = CliRunner()


@pytest.fixture
def command():
    """Give a command whose subcommand, in a group of its own, fails as it is told to."""
    app = typer.Typer(cls=TokenkitGroup, pretty_exceptions_enable=False)
    group = typer.Typer()
    app.add_typer(group, name="group")

    @app.callback()
    def root():
        pass

    @group.callback()
    def inner():
        pass

    @group.command()
    def fail():
        raise InvalidValues(
            "no fit", column="a\x1b[31m\nb", count=2, hint="look [red]here[/red]\x07"
        )

    return app


def test_an_error_is_one_line_and_a_hint(command):
    """Control characters and markup in names don't reach the terminal; the exit code is 3."""
    result = RUNNER.invoke(command, ["group", "fail"])
    assert result.exit_code == 3
    assert result.output == (
        'error: no fit [column="a\\u001b[31m\\nb" count=2]\nhint: look [red]here[/red]\\x07\n'
    )


def test_errors_go_to_standard_error(capsys):
    """Standard output stays free for data."""
    show_error("x" * 300, None)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"error: {'x' * 300}\n"


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (ValueError("4111111111111111"), "unforeseen ValueError"),
        (PermissionError(13, "Permission denied", "out.csv"), "Permission denied: out.csv"),
    ],
)
def test_unforeseen_errors_do_not_quote(monkeypatch, capsys, failure, said):
    """What isn't foreseen is named by its class, without traceback or text; exit code 1."""

    def fail():
        raise failure

    monkeypatch.setattr(application, "app", fail)
    with pytest.raises(SystemExit) as ended:
        main()
    err = capsys.readouterr().err
    assert ended.value.code == 1
    assert said in err
    assert "4111" not in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [["nonsense"], ["keys", "nonsense"], ["keys", "list"]])
def test_wrong_usage_is_2(arguments):
    """Wrong usage has an exit code of its own."""
    assert RUNNER.invoke(application.app, arguments).exit_code == 2


def test_version():
    """The version is the distribution's."""
    result = RUNNER.invoke(application.app, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("tokenkit")


def test_help_imports_no_layer():
    """Showing help loads nothing of the layers beyond what ``import tokenkit`` alone does."""
    code = (
        "import sys, tokenkit\n"
        "before = set(sys.modules)\n"
        "from tokenkit.cli.app import main\n"
        "sys.argv = ['tokenkit', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'polars', 'pyarrow', 'pydantic', 'yaml', 'cryptography'}\n"
        "more = {name for name in set(sys.modules) - before if name in heavy\n"
        "        or name.startswith('tokenkit.') and not name.startswith('tokenkit.cli')}\n"
        "sys.exit(f'loaded: {more}' if more - {'tokenkit.errors'} else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "keys" in done.stdout
