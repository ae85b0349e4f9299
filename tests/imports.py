"""What a module of overgen imports of overgen, directly or not. DVC does not follow imports: `deps` must list them."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"


def _file(module: str) -> Path | None:
    path = SOURCE.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None


def _imported(file: Path) -> set[str]:
    """Names of overgen's modules that a file imports, also inside functions; not those for type checkers only."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text()))
    return {name for name in found if name.split(".")[0] == "overgen"}


def closure(module: str, without: Collection[str] = ()) -> set[str]:
    """Files (relative to the repository) that importing a module can run, without package files that hold no code.

    without: modules that are not looked into.
    """
    seen: set[Path] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        file = _file(name)
        if file is None or file in seen or name in without:
            continue
        seen.add(file)
        queue.extend(_imported(file))
    return {f"src/{file.relative_to(SOURCE).as_posix()}" for file in seen if file.name != "__init__.py"}
