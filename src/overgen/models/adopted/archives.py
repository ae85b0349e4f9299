"""Programs of torch.export as files: what may stand in one that a stranger made.

`torch.export.load` is for files that one trusts: a program may name more than operations on tensors. So a file is
looked at first, as JSON, and refused unless it holds tensors, and a graph of torch's own operations on them.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from overgen import OvergenError

MEMBERS = (  # behind the name of the archive
    r"data/weights/(weight_\d+|\w+_config\.json)",
    r"data/constants/(tensor_\d+|\w+_config\.json)",
    r"data/sample_inputs/\w+\.pt",
    r"models/\w+\.json",
    r"extra/.*",
    r"archive_format|archive_version|byteorder|version|\.data/\w+",
)
ARITHMETIC = (
    "abs add and_ ceil eq floordiv ge getitem gt index inv invert le lshift lt mod mul ne neg not_ or_ pos pow rshift "
    "sub truediv xor"
)
CONTROL = (
    "associative_scan cond flex_attention invoke_subgraph map_impl out_dtype scan while_loop wrap_with_autocast "
    "wrap_with_set_grad_enabled"
)
OPERATIONS = (
    r"torch\.ops\.(aten|prims|quantized|quantized_decomposed|torchvision)\.(?!from_file\b|save\b)\w+\.\w+",
    rf"torch\.ops\.higher_order\.({'|'.join(CONTROL.split())})",
    rf"_operator\.({'|'.join(ARITHMETIC.split())})",
    r"math\.[a-z]\w*",
    r"torch\.(_sym|sym)_\w+",
)
# What sizes are written with: symbols such as s0 and u1, numbers, arithmetic, and these functions
SYMBOLS = (
    r"[suz]u?f?\d+|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|CeilToInt|FloorToInt|IntTrueDiv|ToFloat|TruncToInt|"
    r"Where|Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not|Pow|PowByNatural|Abs|floor|ceiling|oo|int_oo|True|False|Identity"
)


def check_archive(path: Path) -> None:
    """Raise OvergenError for a .pt2 file that holds more than tensors and a graph of operations on them."""
    export = "export it anew with this torch: torch.export.save"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if not any(name.endswith("/archive_format") for name in names):
                raise OvergenError(f"{path}: not a program of torch.export, or one of a torch before 2.8; {export}")
            for name in names:
                _check_member(path, name.partition("/")[2], archive, name)
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing") from error
    except (zipfile.BadZipFile, OSError, UnicodeError, json.JSONDecodeError) as error:
        raise OvergenError(f"{path}: not a whole program of torch.export ({error}); {export}") from error


def _check_member(path: Path, member: str, archive: zipfile.ZipFile, name: str) -> None:
    refused = "loading it could run code that it brings, so it is refused"
    if not any(re.fullmatch(pattern, member) for pattern in MEMBERS):
        raise OvergenError(f"{path}: holds {member!r}, which is neither a graph nor tensors; {refused}")
    if member.startswith("data/sample_inputs/"):
        try:
            torch.load(io.BytesIO(archive.read(name)), weights_only=True)
        except Exception as error:
            raise OvergenError(f"{path}: its sample inputs are more than tensors; {refused}") from error
    if not member.endswith(".json") or member.startswith("extra/"):
        return
    for key, value in _fields(json.loads(archive.read(name))):
        if key == "use_pickle" and value:
            raise OvergenError(f"{path}: {member}: a pickled tensor or constant; {refused}")
        if key == "target" and not any(re.fullmatch(pattern, str(value)) for pattern in OPERATIONS):
            raise OvergenError(f"{path}: calls {value!r}, which is no operation on tensors; {refused}")
        if key == "expr_str" and not _is_size(str(value)):
            raise OvergenError(f"{path}: has a size {value!r:.80}, which is no arithmetic; {refused}")


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth of JSON."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from part.items()
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _is_size(text: str) -> bool:
    text = re.sub(r"Symbol\('\w+'(, \w+=(True|False))*\)", "s0", text)
    words = re.findall(r"[^\W\d]\w*", text)
    return bool(re.fullmatch(r"[\w\s+\-*/%(),<>=!&|~]*(\d\.\d[\w\s+\-*/%(),<>=!&|~]*)*", text)) and all(
        re.fullmatch(SYMBOLS, word) for word in words
    )
