"""The command line as a program: help, imports, completion, terminals, pipes."""

import ast
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import documents
from tests.cli.conftest import Trivet
from tests.cli.documents import NAME
from tests.cli.stub import Stub
from trivet import main as program

CLI = Path(program.__file__).parent.parent
START = [sys.executable, "-c", "from trivet.main import main; main(prog_name='trivet')"]
SLOW = ("rich", "botocore", "yaml", "urllib.request", "http.client", "trivet.commands")


def _env(stub: Stub | None = None, **more: str) -> dict[str, str]:
    url = {} if stub is None else {"TRIVET_URL": stub.url}
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(CLI), "TERM": "xterm"} | url | more


def test_help_imports_nothing_that_takes_long() -> None:
    ask = (
        "import sys\nfrom trivet.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print([each for each in {SLOW} if each in sys.modules])"
    )

    ran = subprocess.run([sys.executable, "-c", ask], env=_env(), capture_output=True, check=True)

    told, found = ran.stdout.decode().rsplit("\n", 2)[:2]
    assert found == "[]"
    assert "trivet apply datalake-consumer-dev" in told


def test_help_names_every_command_and_each_has_examples(trivet: Trivet) -> None:
    told = trivet("--help").out

    commands = [name for each in program._COMMANDS.values() for name in each]
    assert all(f"\n  {name} " in told for name in commands)
    for name in set(commands) - {"doctor", "console"}:
        ran = trivet(name, "--help")
        assert ran.code == 0
        assert f"  trivet {name} " in ran.out or f"  trivet {name}\n" in ran.out


def test_the_version(trivet: Trivet) -> None:
    assert trivet("--version").out == "trivet, version 2.0.0\n"


def test_the_command_line_is_a_package_of_its_own() -> None:
    imported: set[str] = set()
    for file in CLI.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])

    assert "click" in imported
    assert imported.isdisjoint({"chalicelib", "chalice", "app", "boto3", "tools", "tests"})


def _completed(trivet: Trivet, words: str, **env: str) -> list[str]:
    count = str(len(words.split(" ")) - 1)
    asked = {"_TRIVET_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    ran = trivet(**asked, **env)
    assert ran.err == ""
    return [line.partition(",")[2] for line in ran.out.splitlines() if line]


def test_names_are_completed(stub: Stub, trivet: Trivet) -> None:
    names = ("datalake-consumer-dev", "datalake-consumer-prod", "other-one")
    found = [documents.listed(documents.environment(each)) for each in names]
    stub.on("GET /environments", {"environments": found, "next_cursor": None})
    accounts = {"accounts": [documents.account()], "next_cursor": None}
    stub.on("GET /accounts", accounts)
    stub.on("GET /profiles", {"profiles": [documents.profile(), documents.profile("scoped")]})

    assert _completed(trivet, "trivet show data") == [*names[:2]]
    assert _completed(trivet, "trivet delete ") == [*names]
    assert _completed(trivet, "trivet account remove 2") == [documents.MEMBER]
    assert _completed(trivet, "trivet apply --profile sc") == ["scoped"]
    assert _completed(trivet, "trivet unp") == ["unprotect"]


def test_names_of_another_account_are_completed(stub: Stub, trivet: Trivet) -> None:
    page = {"environments": [documents.environment()], "next_cursor": None}
    stub.on(f"GET /accounts/{documents.MEMBER}/environments", page)

    assert _completed(trivet, f"trivet show --account {documents.MEMBER} da") == [NAME]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "no url", ""])
def test_completion_is_silent_on_errors(stub: Stub, trivet: Trivet, url: str) -> None:
    assert _completed(trivet, "trivet show d", TRIVET_URL=url) == []
    assert _completed(trivet, "trivet show d") == []  # the stub refuses


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(trivet: Trivet, shell: str) -> None:
    ran = trivet(_TRIVET_COMPLETE=f"{shell}_source")

    assert ran.code == 0
    assert f"_TRIVET_COMPLETE={shell}_complete" in ran.out


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1)])
def test_on_a_terminal_it_asks_before_it_deletes(stub: Stub, answer: bytes, code: int) -> None:
    gone = {"name": NAME, "deleted": [], "detached": [], "left": []}
    stub.on(f"DELETE /environments/{NAME}", gone)
    typed, terminal = pty.openpty()
    os.write(typed, answer)

    ran = subprocess.run(
        [*START, "delete", NAME], env=_env(stub), stdin=terminal, capture_output=True, check=False
    )
    os.close(typed)
    os.close(terminal)

    assert ran.returncode == code
    assert f"Delete {NAME} ({stub.url}): " in ran.stderr.decode()
    assert len(stub.asked) == 1 - code


def test_adopting_shows_the_plan_before_it_asks(stub: Stub) -> None:
    changes = [documents.widened()]
    stub.on(f"POST /environments/{NAME}/adopt", documents.environment(changes=changes))
    typed, terminal = pty.openpty()
    os.write(typed, b"n\n")

    ran = subprocess.run(
        [*START, "adopt", NAME], env=_env(stub), stdin=terminal, capture_output=True, check=False
    )
    os.close(typed)
    os.close(terminal)

    assert ran.returncode == 1
    assert "iam:CreateUser" in ran.stdout.decode()
    assert [each.body for each in stub.asked] == [{"dry_run": True}]


def _on_a_terminal(stub: Stub, **env: str) -> str:
    stub.on(f"GET /environments/{NAME}", documents.environment())
    screen, terminal = pty.openpty()
    with subprocess.Popen([*START, "show", NAME], env=_env(stub, **env), stdout=terminal):
        pass
    os.close(terminal)
    shown = b""
    # Linux tells the end of a pseudo-terminal by an error.
    try:
        while more := os.read(screen, 4096):
            shown += more
    except OSError:
        pass
    os.close(screen)
    return shown.decode()


def test_colours_are_for_terminals_that_want_them(stub: Stub, trivet: Trivet) -> None:
    green = "\x1b[32mready"

    assert green in _on_a_terminal(stub)
    assert green not in _on_a_terminal(stub, NO_COLOR="1")
    assert "\x1b" not in trivet("show", NAME).out


def test_a_terminal_shows_how_far_it_is(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"PUT /environments/{NAME}", documents.with_smoke_test("pending"))
    stub.on(f"GET /environments/{NAME}", documents.environment())

    shown = trivet("apply", NAME, FORCE_COLOR="1").err

    assert f"{NAME}: applying" in shown
    assert f"{NAME}: smoke test succeeded" in shown
    assert trivet("apply", NAME).err == ""


def test_a_reader_that_has_seen_enough_is_no_error(stub: Stub) -> None:
    many = [documents.listed(documents.environment(f"name-{each:04}")) for each in range(2000)]
    stub.on("GET /environments", {"environments": many, "next_cursor": None})
    command = [*START, "list", "-o", "json"]

    with subprocess.Popen(
        command, env=_env(stub), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        ran.stdout.read(10)
        ran.stdout.close()
        assert ran.stderr.read() == b""


# Each lists what it offers for `trivet show data`, by the script as the help says to load it.
_OFFERS = {
    "bash": """
        eval "$(_TRIVET_COMPLETE=bash_source trivet)"
        COMP_WORDS=(trivet show data) COMP_CWORD=2
        _trivet_completion trivet
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    # compadd works in zsh's line editor alone: here it prints the array that it is given.
    "zsh": """
        autoload -Uz compinit && compinit -u -D
        eval "$(_TRIVET_COMPLETE=zsh_source trivet)"
        compadd() { print -l -- ${(P)@[-1]} }
        words=(trivet show data) CURRENT=3
        $_comps[trivet]
    """,
    "fish": """
        _TRIVET_COMPLETE=fish_source trivet | source
        complete --do-complete 'trivet show data'
    """,
}


@pytest.mark.parametrize("shell", _OFFERS)
def test_completion_in_a_real_shell(stub: Stub, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} on this machine")
    names = ("datalake-consumer-dev", "datalake-consumer-prod", "other-one")
    found = [documents.listed(documents.environment(each)) for each in names]
    stub.on("GET /environments", {"environments": found, "next_cursor": None})
    command = tmp_path / "trivet"
    command.write_text(f"#!{sys.executable}\nfrom trivet.main import main\nmain()\n")
    command.chmod(0o755)
    env = _env(stub, PATH=f"{tmp_path}:{os.environ['PATH']}", HOME=str(tmp_path))

    ran = subprocess.run(
        [shell, "-c", _OFFERS[shell]], env=env, capture_output=True, check=True, text=True
    )

    assert (ran.stdout.split(), ran.stderr) == ([*names[:2]], "")
