"""Compiled functions: kernel calls are recorded, improved by passes, and replayed without Python in between."""

from .function import Compiled, compile
from .program import Instruction, Program
from .recorder import CompileError

__all__ = ["CompileError", "Compiled", "Instruction", "Program", "compile"]
