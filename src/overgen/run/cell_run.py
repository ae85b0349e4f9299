"""What the MLflow run of a cell shows, taken from the cell's own files: columns, curves, a description and when.

MLflow's table of runs shows, without being set up, name, time, data set, duration and source. The rest is a saved view
of each experiment, in its menu "Views": the headline's numbers (overgen.run.headline) and the model. A run holds these
few numbers as metrics, the curves over epochs, and all of metrics.json as a file.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from overgen.run import headline, pipeline
from overgen.run.files import read_json
from overgen.run.yaml_files import read_document

RAN = Path(".overgen/ran.jsonl")  # when cells were computed here, a line each
STEPS = ("epoch", "step")  # the column of curves.csv that counts; those before it say whose curve it is
VIEW = "mlflow.sharedViewState.overgen"  # the tag of an experiment that holds a saved view of MLflow's page
SHEET = 40, 10  # images of a contact sheet, at most, and in a row
LEAST = 8  # pixels of a side: what is smaller is no picture


class When(NamedTuple):
    """When a cell was computed, in milliseconds since 1970, and how that is known."""

    start: int
    end: int
    known: str


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested params as dotted keys: {"engine": {"digits": 3}} gives {"engine.digits": 3}; lists stay."""
    flat: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def texts_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as MLflow takes them: text as it is, all else as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value, default=str) for key, value in params.items()}


def cell_event(stage: str, dataset: str, model: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The first event of a cell's run. params: those that its stage declares, nested or with dotted keys."""
    texts = texts_of(flatten(params))
    digest = hashlib.md5(json.dumps(texts, sort_keys=True).encode()).hexdigest()
    address = f"{stage}@{dataset}-{model}"
    tags = {"dvc.stage": address, "dataset": dataset, "model": model, "params_md5": digest}
    return {
        "experiment": stage,
        "title": title(stage),
        "name": f"{dataset}/{model}",
        "params": _without(dataset, texts),
        "tags": tags,
        "dataset": [dataset, digest_of_data(dataset)],
    }


def _without(dataset: str, texts: dict[str, str]) -> dict[str, str]:
    """Parameters by their names without the data set, so that runs of different data sets can be compared.

    Two that would get the same name keep theirs.
    """
    short = {key: ".".join(part for part in key.split(".") if part != dataset) for key in texts}
    names = list(short.values())
    return {short[key] if names.count(short[key]) == 1 else key: text for key, text in texts.items()}


def title(stage: str) -> str:
    """What a stage does: the first line of its run.py; its name where that is missing."""
    path = Path(__file__).resolve().parents[1] / "stages" / stage / "run.py"
    try:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (OSError, SyntaxError):
        text = ""
    return text.partition("\n\n")[0].replace("\n", " ") or stage


def metrics(stage: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The numbers of the headline as MLflow's metrics, those in percent by names that say so."""
    known = headline.numbers(stage, rows)
    return {f"{name}{'_percent' if number.unit == 'percent' else ''}": number.value for name, number in known.items()}


def curves(cell: Path) -> list[tuple[str, float, int]]:
    """The points (metric, value, epoch) of a cell's curves.csv; none where it has no such file.

    A metric is "train/<column>", of several networks "train/<column> <network>".
    """
    if not (path := cell / "curves.csv").is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    at = next((header.index(name) for name in STEPS if name in header), None)
    if at is None:
        return []
    whose = [" ".join(line[:at]) for line in lines]
    several = len(set(whose)) > 1
    return [
        (f"train/{name}" + (f" {_plain(of)}" if several else ""), float(value), int(line[at]))
        for line, of in zip(lines, whose, strict=True)
        for name, value in zip(header[at + 1 :], line[at + 1 :], strict=True)
        if value not in ("", "0.0") or name == "accuracy"  # a network without a decoder has no reconstruction loss
    ]


def _plain(text: str) -> str:
    """Text with the characters that MLflow takes in a name: letters, digits and _ - . / : space."""
    return re.sub(r"[^\w\-./: ]+", "_", text)


def member_name(cell: str, member: str) -> str:
    """The name of a member's run: "seed0-y-2" of mnist/cnn is "mnist/cnn: seed 0, y, no. 2"."""
    parts = [re.sub(r"^([a-z]+)(\d+)$", r"\1 \2", re.sub(r"^(\d+)$", r"no. \1", part)) for part in member.split("-")]
    return f"{cell}: {', '.join(parts)}"


def description(cell: Path, address: str, *, commit: str = "", when: str = "") -> str:
    """A run's description in Markdown. `{run_id}` in it stands for MLflow's name of the run.

    address: of the stage in DVC. commit: that the cell belongs to; "" where it is in none. when: what its times are.
    """
    summary = read_json(cell / "metrics.json")
    says = headline.line(summary["stage"], summary["metrics"])
    budget = ", ".join(f"{key} = {value}" for key, value in summary["budget"].items())
    facts = [
        ("Cell", f"`{cell.as_posix()}`"),
        ("Remade by", f"`dvc repro {address}`" if by_dvc(cell) else "`overgen audit` with the same arguments"),
        ("Commit", f"`{commit}`" if commit else "not committed"),
        ("Budget", budget or "none of its own"),
        ("Times", when or "of the work itself"),
        ("Numbers", f"all {len(summary['metrics'])} are in the artifact `metrics.json`"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in facts)
    # First what is seen before "Show more" is clicked.
    picture = "![images of the cell](get-artifact?path=examples.png&run_uuid={run_id})\n\n" if has_images(cell) else ""
    return f"**{says or 'no number'}**\n\n{picture}{title(summary['stage'])}\n\n| | |\n| --- | --- |\n{table}"


def by_dvc(cell: Path) -> bool:
    """Whether DVC runs the study that a cell lies in; it does not in the folder of an audit."""
    path = cell.absolute().parents[4] / "dvc.yaml"
    stages = (read_document(path).values or {}).get("stages") if path.is_file() else None
    return not stages or pipeline.has_code(stages)


def view(names: Sequence[str]) -> str:
    """A saved view of an experiment's runs with the columns that mean something. names: of metrics."""
    columns = [f"metrics.`{name}`" for name in names] + ["tags.`dataset`", "tags.`model`"]
    state = json.dumps({"selectedColumns": columns, "columnOrder": [], "orderByKey": "attributes.start_time"})
    return json.dumps({"name": "What came out", "createdAt": 0, "updatedAt": 0, "state": state})


def columns_of(tag: str) -> list[str]:
    """The metrics among the columns of a saved view that `view` wrote."""
    return re.findall(r"metrics\.`([^`]+)`", tag)


def has_images(cell: Path) -> bool:
    return (cell / "examples.npz").is_file()


def contact_sheet(cell: Path) -> bytes | None:
    """A PNG of the first images of a cell's examples.npz, ten in a row; None if it holds none."""
    import io

    import numpy as np
    from PIL import Image

    if not has_images(cell):
        return None
    with np.load(cell / "examples.npz", allow_pickle=False) as file:
        pictures = {n: file[n] for n in file.files if file[n].ndim > 2 and min(_picture_shape(file[n])[:2]) >= LEAST}
    if not pictures:
        return None
    shape = _picture_shape(next(iter(pictures.values())))
    alike = [array for array in pictures.values() if _picture_shape(array) == shape]
    images = np.concatenate([_bytes(array).reshape(-1, *shape) for array in alike])[: SHEET[0]]
    rows, edge, (height, width) = -(-len(images) // SHEET[1]), 2, shape[:2]
    size = rows * (height + edge) + edge, min(len(images), SHEET[1]) * (width + edge) + edge
    sheet = np.full((*size, *shape[2:]), 128, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, SHEET[1])
        top, left = edge + row * (height + edge), edge + column * (width + edge)
        sheet[top : top + height, left : left + width] = image
    picture, large = io.BytesIO(), 2 if max(height, width) <= 64 else 1
    Image.fromarray(sheet).resize((large * size[1], large * size[0]), Image.Resampling.NEAREST).save(
        picture, "PNG", optimize=True
    )
    return picture.getvalue()


def _picture_shape(array: Any) -> tuple[int, ...]:
    """(H, W) or (H, W, 3) of the pictures in an array of examples."""
    return array.shape[-3:] if array.ndim > 3 and array.shape[-1] == 3 else array.shape[-2:]


def _bytes(array: Any) -> Any:
    import numpy as np

    return array if array.dtype == np.uint8 else (np.nan_to_num(array) * 255).round().clip(0, 255).astype(np.uint8)


def note_time(md5: str, start: int, end: int, root: Path = Path()) -> None:
    """Keep when a cell was computed here. md5: of its folder. start, end: milliseconds."""
    (root / RAN).parent.mkdir(parents=True, exist_ok=True)
    with open(root / RAN, "a", encoding="utf-8") as file:  # one short write: processes side by side do not mix lines
        file.write(json.dumps({"cell_md5": md5, "start": start, "end": end}) + "\n")


class Times:
    """When cells were computed, as far as is known: here, else the time of the commit that changed the cell last."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._here: dict[str, When] = {}
        if (root / RAN).is_file():
            for line in (root / RAN).read_text(encoding="utf-8").splitlines():
                try:
                    kept = json.loads(line)
                    self._here[kept["cell_md5"]] = When(kept["start"], kept["end"], "of the work itself")
                except (ValueError, KeyError, TypeError):  # a line that a killed process did not end
                    continue
        self._commits = _commits(root)

    def of(self, cell: Path, md5: str) -> tuple[When, str]:
        """When a cell was computed, and the commit that changed it last ("" where it differs from it)."""
        time, commit = self._commits.get(cell.relative_to(self._root).as_posix(), (0, ""))
        if md5 in self._here:
            return self._here[md5], commit
        if commit:
            known = "unknown; shown is when the commit was made that changed the cell last"
            return When(1000 * time, 1000 * time, known), commit
        changed = int(1000 * (cell / "metrics.json").stat().st_mtime)
        return When(changed, changed, "unknown; shown is when its file was written here"), ""


def _commits(root: Path) -> dict[str, tuple[int, str]]:
    """The time and name of the commit that changed a cell last, by the cell's folder; none of cells changed since."""
    log = _git(root, "log", "--relative", "--format=%x00%ct %H", "--name-only", "--", "reports/cells")
    last: dict[str, tuple[int, str]] = {}
    for entry in log.split("\0")[1:]:
        head, *paths = entry.splitlines()
        time, commit = head.split()
        for path in paths:
            if path:
                last.setdefault("/".join(path.split("/")[:5]), (int(time), commit))
    for line in _git(root, "status", "--porcelain", "--no-renames", "-uall", "--", "reports/cells").splitlines():
        last.pop("/".join(line[3:].strip('"').split("/")[:5]), None)
    return last


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


@cache
def digest_of_data(dataset: str, root: Path = Path()) -> str:
    """The first digits of the checksum that dvc.lock has for a data set; "unknown" if it has none."""
    try:
        text = (root / "dvc.lock").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    found = re.search(rf"path: data/{re.escape(dataset)}\n\s+hash: md5\n\s+md5: (\w{{8}})", text)
    return found[1] if found else "unknown"
