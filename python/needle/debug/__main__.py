"""``python -m needle.debug``: runs a program under the stepping debugger."""

from __future__ import annotations

import argparse
import sys

from .entering import run
from .recorder import KEEP

DESCRIPTION = """Run a program under a debugger whose unit is the event of the graph: a node made or computed, an
adjoint handed on, a module entered or left, an optimizer's step. `help` at its prompt lists the commands."""


def main() -> int:
    """Read the command line, and run the program."""
    parser = argparse.ArgumentParser("python -m needle.debug", description=DESCRIPTION)
    parser.add_argument("-c", "--command", action="append", default=[], help="a command to begin with (several times)")
    parser.add_argument("--keep", type=int, default=KEEP, help="bytes of values to keep for going back (256 MB)")
    parser.add_argument("-m", action="store_true", dest="is_module", help="the program is a module, such as pytest")
    parser.add_argument("program", help="a Python file, or a module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the program's own")
    given = parser.parse_args()
    if given.keep < 0:
        parser.error(f"--keep is a number of bytes, and not negative; got {given.keep}")
    return run(given.program, given.arguments, given.is_module, tuple(given.command), given.keep)


if __name__ == "__main__":
    sys.exit(main())
