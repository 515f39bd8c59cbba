"""``python -m hw``: the commands, and who carries them out."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib import import_module

from . import UsageError, trees

#: Each command: the function that carries it out, what it does, and who uses it.
COMMANDS = {
    "list": ("releasing.run_list", "the assignments, their tasks and points", "staff"),
    "release": ("releasing.run_release", "make a student's tree", "staff"),
    "solution": ("releasing.run_solution", "make a tree with this assignment solved", "staff"),
    "update": ("releasing.run_update", "bring new tests and handout into a student's tree", "staff"),
    "grade": ("grading.run", "grade a submission, or a folder of them", "staff"),
    "autograder": ("packing.run_autograder", "make the zip that Gradescope takes", "staff"),
    "verify": ("verifying.run", "grade the graders of an assignment", "staff"),
    "mutate": ("mutants.run", "look for changes to the solution that no test notices", "staff"),
    "setup": ("trees.run_setup", "make the tree's own Python environment", "student"),
    "build": ("trees.run_build", "compile the C++ into the tree", "student"),
    "check": ("checking.run", "run the tests of a task, or of all", "student"),
    "diff": ("changes.run", "what you have changed since the release", "student"),
    "pack": ("packing.run_pack", "make the zip that you submit", "student"),
    "doctor": ("doctor.run", "what is wrong with this machine or this tree", "student"),
}


def parser(released: bool) -> argparse.ArgumentParser:
    """The command line, in a released tree with what a student may use."""
    whole = argparse.ArgumentParser(prog="python -m hw", description="The course on Needle.", allow_abbrev=False)
    subparsers = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command, (handler, what, who) in COMMANDS.items():
        if not released or who == "student":
            sub = subparsers.add_parser(command, help=what, description=f"{what[0].upper()}{what[1:]}.")
            sub.set_defaults(handler=handler)
            ARGUMENTS.get(command, nothing)(sub)
    return whole


def nothing(sub: argparse.ArgumentParser) -> None:
    """For a command without arguments."""


def release(sub: argparse.ArgumentParser) -> None:
    """Arguments of ``release``."""
    sub.add_argument("assignment", metavar="HW", help="the assignment: hw1")
    sub.add_argument("folder", metavar="DIR", help="the folder to make")
    sub.add_argument(
        "--from", dest="student", metavar="STUDENT_DIR", help="carry a student's work over from an earlier tree"
    )
    sub.add_argument(
        "--solution-for",
        dest="solution_for",
        metavar="TASK",
        nargs="+",
        action="extend",
        default=[],
        help="take the library's solution of these tasks (hw1/softmax_loss, or softmax_loss)",
    )


def solution(sub: argparse.ArgumentParser) -> None:
    """Arguments of ``solution``."""
    sub.add_argument("assignment", metavar="HW", help="the assignment: hw1")
    sub.add_argument("folder", metavar="DIR", help="the folder to make")


def update(sub: argparse.ArgumentParser) -> None:
    """Arguments of ``update``."""
    sub.add_argument("folder", metavar="DIR", help="a released tree")


def grade(sub: argparse.ArgumentParser) -> None:
    """Arguments of ``grade``."""
    sub.add_argument("submission", metavar="SUBMISSION", help="a zip, a tree, or a folder of zips")
    sub.add_argument("--json", metavar="FILE", help="write Gradescope's results.json")
    sub.add_argument("--csv", metavar="FILE", help="write a table, a line for each submission")
    sub.add_argument("--hidden", metavar="PATH", help="the folder of hidden tests, if not hw/HW/hidden")
    sub.add_argument("--assignment", metavar="HW", help="the assignment, if the submission does not say it")


def autograder(sub: argparse.ArgumentParser) -> None:
    """Arguments of ``autograder``."""
    sub.add_argument("assignment", metavar="HW", help="the assignment: hw1")
    sub.add_argument("folder", metavar="DIR", help="the folder to write the zip into")
    sub.add_argument("--hidden", metavar="PATH", help="the folder of hidden tests, if not hw/HW/hidden")


def verify(sub: argparse.ArgumentParser) -> None:
    """Arguments of ``verify``."""
    sub.add_argument("assignment", metavar="HW", help="the assignment: hw1")
    sub.add_argument("--only", metavar="TASK", help="only this task")


def check(sub: argparse.ArgumentParser) -> None:
    """Arguments of ``check``."""
    sub.add_argument("task", metavar="TASK", nargs="?", help="a task's name or number; by default all")
    sub.add_argument("--case", metavar="N", type=int, help="only this case, as the failure names it")
    how = sub.add_mutually_exclusive_group()
    how.add_argument("--pdb", action="store_true", help="stop in Python's debugger where a case fails")
    how.add_argument("--debug", action="store_true", help="run the case under the graph debugger, needle.debug")
    sub.add_argument("--hint", action="store_true", help="show the task's next hint")
    sub.add_argument("--earlier", action="store_true", help="earlier assignments, too")
    sub.add_argument("--packed", action="store_true", help="what `pack` has packed, in a clean tree")


def pack(sub: argparse.ArgumentParser) -> None:
    """Arguments of ``pack``."""
    sub.add_argument("file", metavar="FILE", nargs="?", help="the zip to write")


ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "release": release,
    "solution": solution,
    "update": update,
    "grade": grade,
    "autograder": autograder,
    "verify": verify,
    "mutate": verify,
    "check": check,
    "pack": pack,
}


def in_tree_environment(arguments: list[str]) -> int | None:
    """Run the command again by the tree's own Python, if there is one and this is another; None if not."""
    tree = trees.root()
    python = trees.venv_python(tree)
    if trees.manifest(tree) is None or not python.exists() or trees.in_own_environment(tree):
        return None
    command = [str(python), "-m", "hw", *arguments]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    if os.name != "nt":
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
    return subprocess.call(command, env=environment)


def main(arguments: list[str]) -> int:
    """Carry out a command; what a user can mend is said in a few words, with status 2."""
    if sys.version_info < (3, 10):  # noqa: UP036 (somebody may well run it with an older one)
        print(f"Needle needs Python 3.10 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    try:
        args = parser(trees.manifest(trees.root()) is not None).parse_args(arguments)
        if args.command != "setup":
            status = in_tree_environment(arguments)
            if status is not None:
                return status
        module, _, function = args.handler.partition(".")
        handler: Callable[[argparse.Namespace], int] = getattr(import_module(f"hw.{module}"), function)
        status = handler(args)
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(folded(str(error)), file=sys.stderr)
        return 2
    except SystemExit as end:
        if not isinstance(end.code, str):
            raise
        print(end.code, file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in ("numpy", "pytest"):
            raise
        help = "run `python -m hw setup`" if trees.manifest(trees.root()) else "pip install 'needle-dl[hw]'"
        print(folded(f"{error.name} is not installed for {sys.executable}: {help}"), file=sys.stderr)
        return 2
    except BrokenPipeError:  # of `check | head`; Python would complain of it once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def folded(message: str) -> str:
    """The message in lines of 80 columns; paths are not broken."""
    fold = textwrap.TextWrapper(width=80, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ")
    return "\n".join(fold.fill(line) if len(line) > 80 else line for line in message.splitlines())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
