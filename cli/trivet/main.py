"""The command `trivet`: which commands there are, and what becomes of errors.

Commands are imported when they are used, since whoever asks for help wants it at once.
"""

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from trivet import VERSION, output
from trivet.errors import Problem, Unreachable
from trivet.session import FAILED, USAGE

# Heading -> name -> where the command is, and what it does in one line.
_COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Environments": {
        "list": ("trivet.commands.show:list_", "List environments with their state."),
        "show": ("trivet.commands.show:show", "Show one environment: roles, ARNs, smoke test."),
        "history": ("trivet.commands.show:history", "Show what was done to one, by whom."),
        "wiring": ("trivet.commands.show:wiring_", "Draw who may do what to whom."),
        "plan": ("trivet.commands.declare:plan", "Show what apply would change."),
        "apply": ("trivet.commands.declare:apply", "Make or change environments as declared."),
        "adopt": ("trivet.commands.declare:adopt", "Take over roles that were made by hand."),
        "test": ("trivet.commands.keep:test", "Run the smoke test again."),
        "pause": ("trivet.commands.keep:pause", "Let drift stay for a while."),
        "resume": ("trivet.commands.keep:resume", "End a pause."),
        "unprotect": ("trivet.commands.keep:unprotect", "Take the deletion protection off."),
        "delete": ("trivet.commands.keep:delete", "Remove an environment and what is its own."),
    },
    "Drift": {
        "drift": ("trivet.commands.runs:drift", "Show what differs, of one or of all."),
        "reapply": ("trivet.commands.keep:reapply", "Put one environment back as declared."),
        "run": ("trivet.commands.runs:run", "Check all environments, and repair them."),
        "runs": ("trivet.commands.runs:runs", "List drift runs, or show one."),
    },
    "Around it": {
        "account": ("trivet.commands.accounts:account", "Accounts that environments are in."),
        "doctor": ("trivet.doctor.command:doctor", "Tell whether a deployment is sound."),
        "console": ("trivet.console.command:console", "Open the web console on this machine."),
    },
}

_EXAMPLES = """
\b
Say where the API is, once:
  export TRIVET_URL=https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/dev
or let each command find it: --stage dev

\b
Make an environment, see it, keep it:
  trivet plan datalake-consumer-dev --tag team=datalake
  trivet apply datalake-consumer-dev --tag team=datalake
  trivet show datalake-consumer-dev
  trivet drift datalake-consumer-dev

\b
Environments from a repository of files:
  trivet apply --file environments/
"""

_EPILOG = """
\b
Exit codes: 0 done, 1 failed, 2 drift found (drift, plan, run --preview), 3 wrong usage.
Requests are signed with your AWS credentials; AWS_PROFILE and AWS_DEFAULT_REGION work.

\b
Completion, with the names of environments:
  bash  eval "$(_TRIVET_COMPLETE=bash_source trivet)"
  zsh   eval "$(_TRIVET_COMPLETE=zsh_source trivet)"
  fish  _TRIVET_COMPLETE=fish_source trivet | source
"""


class Trivet(click.Group):
    """The group of all commands, imported on use; its errors are exit codes and plain words."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help text."""
        return [name for commands in _COMMANDS.values() for name in commands]

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        for commands in _COMMANDS.values():
            if cmd_name in commands:
                module, _colon, attribute = commands[cmd_name][0].partition(":")
                command: click.Command = getattr(importlib.import_module(module), attribute)
                return command
        return None

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, importing none."""
        for heading, commands in _COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, told) for name, (_place, told) in commands.items()])

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command and leave with its exit code: click's own ones differ."""
        extra["standalone_mode"] = False
        try:
            code = super().main(args, **extra)
            sys.stdout.flush()
        except (Problem, Unreachable) as error:
            output.error(error)
            code = FAILED
        except click.Abort:
            click.echo("Stopped.", err=True)
            code = FAILED
        except click.ClickException as error:
            code = _tell(error)
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            # Whoever read the output has seen enough, as `head` has.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            code = FAILED
        sys.exit(code if isinstance(code, int) else 0)


def _tell(error: click.ClickException) -> int:
    """Print, in one line, what is wrong with the command line; return the exit code."""
    said = f"Error: {error.format_message()}"
    if not isinstance(error, click.UsageError):
        click.echo(said, err=True)
        return FAILED
    command = error.ctx.command_path if error.ctx is not None else "trivet"
    click.echo(f"{said} See `{command} --help`.", err=True)
    return USAGE


@click.group(
    "trivet",
    cls=Trivet,
    help=f"IAM roles that work together, and stay so.\n{_EXAMPLES}",
    epilog=_EPILOG,
)
@click.version_option(VERSION, prog_name="trivet")
def main() -> None:  # noqa: D103  # the help is in the decorator
    pass
