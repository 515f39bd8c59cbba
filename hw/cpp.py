"""Where functions stand in C++ source text, found by tree-sitter."""

from __future__ import annotations

from typing import Any

from . import UsageError
from .functions import Function

#: Declarators around a function's own: of ``const T* f()``, of ``T& f()``.
AROUND = ("pointer_declarator", "reference_declarator", "parenthesized_declarator")
SCOPES = ("namespace_definition", "class_specifier", "struct_specifier", "union_specifier")


def cpp_functions(text: str) -> list[Function]:
    """Every function that the text defines, with namespaces and classes in its name: ``needle::View::size``."""
    try:
        import tree_sitter_cpp
        from tree_sitter import Language, Parser
    except ImportError:
        raise UsageError("C++ files need tree-sitter: pip install 'needle-dl[hw]'") from None
    source = text.encode()
    tree = Parser(Language(tree_sitter_cpp.language())).parse(source)
    found: list[Function] = []
    walk(tree.root_node, (), source, found)
    return found


def walk(node: Any, scope: tuple[str, ...], source: bytes, found: list[Function]) -> None:
    """Collect the functions below a node of the syntax tree."""
    for child in node.named_children:
        if child.type == "function_definition":
            function = function_of(child, scope, source)
            if function is not None:
                found.append(function)
        elif child.type in SCOPES:
            name = child.child_by_field_name("name")
            body = child.child_by_field_name("body")
            if body is not None:
                walk(body, (*scope, read(name, source)) if name is not None else scope, source, found)
        elif child.type not in ("compound_statement", "lambda_expression"):
            walk(child, scope, source, found)


def function_of(node: Any, scope: tuple[str, ...], source: bytes) -> Function | None:
    """Find the ranges of a definition; None for what has no body of its own: ``= default``."""
    body, declarator = node.child_by_field_name("body"), node.child_by_field_name("declarator")
    while declarator is not None and declarator.type in AROUND:
        inner = declarator.child_by_field_name("declarator")
        declarator = inner if inner is not None else declarator.named_children[-1]
    if body is None or declarator is None or declarator.type != "function_declarator":
        return None
    name = read(declarator.child_by_field_name("declarator"), source)
    first = node
    while first.parent is not None and first.parent.type == "template_declaration":
        first = first.parent
    header = source[first.start_byte : body.start_byte]
    words = header.replace(b"(", b" ").replace(b")", b" ").split()
    trait = next((word.decode() for word in words if word in (b"constexpr", b"noexcept", b"consteval")), "")
    line = source.rfind(b"\n", 0, node.start_byte) + 1
    before = source[line : node.start_byte]
    return Function(
        name="::".join((*scope, name)),
        start=characters(source, first.start_byte),
        body=characters(source, body.start_byte),
        end=characters(source, body.end_byte),
        indent=" " * (len(before) - len(before.lstrip()) + 2),
        parameters=tuple(parameter_names(declarator.child_by_field_name("parameters"), source)),
        trait=trait,
        trivial=not body.named_children,
    )


def parameter_names(parameters: Any, source: bytes) -> list[str]:
    """The names of the parameters that have one."""
    names = []
    for parameter in parameters.named_children:
        declarator = parameter.child_by_field_name("declarator")
        while declarator is not None and declarator.type not in ("identifier", "field_identifier"):
            named = [child for child in declarator.named_children if child.type.endswith(("declarator", "identifier"))]
            declarator = declarator.child_by_field_name("declarator") or (named[0] if named else None)
        if declarator is not None:
            names.append(read(declarator, source))
    return names


def read(node: Any, source: bytes) -> str:
    """The text of a node, without blanks: a name may be broken over lines."""
    return "".join(source[node.start_byte : node.end_byte].decode().split())


def characters(source: bytes, position: int) -> int:
    """A position in characters; tree-sitter counts bytes."""
    return len(source[:position].decode())
