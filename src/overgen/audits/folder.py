"""The study folder of an audit: what is written into it before anything runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from overgen import OvergenError
from overgen.data import borrow
from overgen.report import reported
from overgen.report.names import DATASET_NAMES
from overgen.run.files import replace_directory, write_npz, write_text

PIPELINE = Path(__file__).with_name("dvc.yaml")
GRADIENTS = ("fool_fgn", "fool_gradient", "fool_smallest")  # stages that a black box is no subject of
RESULTS = ("audit.json", "report.html")  # written when all is done
UNKNOWN = "unknown.npz"  # the user's own pictures of no class
NO_BUDGET = "# budgets of papers, beside which a study's are shown: an audit has none\n"
IGNORED = "# what is written while stages run\n/.overgen/\n.overgen-tmp-*\n"


def pipeline_text(left_out: Collection[str] = ()) -> str:
    """The dvc.yaml of an audit, without some stages."""
    text = PIPELINE.read_text(encoding="utf-8")
    for stage in left_out:
        text, found = re.subn(rf"(?m)^  {stage}:.*\n(?:    .*\n|\n)*", "", text)
        assert found == 1, stage
    return text


def prepare(folder: Path, dataset: str, model: str, *, left_out: Collection[str]) -> bool:
    """Make the folder of an audit. Returns whether it is new: one of an earlier audit goes on.

    Cells of a network or data that changed under the same name are replaced, and what the earlier audit came to is
    taken away: until this one ends nothing says of the new network what was true of the old.
    dataset, model: what cells are called; left_out: stages.
    Raises OvergenError for a folder that holds anything else, or an audit whose cells would stay beside: of another
    network or data, or with other stages; and for one that cannot be made.
    """
    first = PIPELINE.read_text(encoding="utf-8").partition("\n")[0]
    if folder.is_dir() and any(folder.iterdir()):
        path = folder / "dvc.yaml"
        if path.is_file() and path.read_text(encoding="utf-8").partition("\n")[0] == first:
            _refuse_another(folder, dataset, model, pipeline_text(left_out))
            for name in RESULTS:
                (folder / name).unlink(missing_ok=True)
            return False
        raise OvergenError(f"{folder}: holds files that are no audit's; name another folder with -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OvergenError(f"{folder}: cannot be made ({error.strerror}); name another folder with -o") from error
    return True


def _refuse_another(folder: Path, dataset: str, model: str, pipeline: str) -> None:
    """Raise OvergenError where the audit in a folder has cells that this one would not replace."""
    if not (folder / "params.yaml").is_file():
        return
    values = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    (of,), (on,) = values["attacked"], values["datasets"]
    way_out = "name another folder with -o, or delete this one"
    if (of, on) != (model, dataset):
        raise OvergenError(f"{folder}: holds the audit of {of} on {on}, and this is of {model} on {dataset}; {way_out}")
    if (folder / "dvc.yaml").read_text(encoding="utf-8") != pipeline:
        raise OvergenError(f"{folder}: holds an audit of {of} on {on} with other stages than this one's; {way_out}")


def write(folder: Path, sections: Mapping[str, Any], *, left_out: Collection[str], unknown: np.ndarray | None) -> None:
    """Write dvc.yaml, params.yaml and what else a study needs before it runs.

    sections: of params.yaml, in order. unknown: pictures that the network does not know, (N, C, H, W) uint8.
    """
    if unknown is None:
        (folder / UNKNOWN).unlink(missing_ok=True)
    else:
        write_npz(folder / UNKNOWN, image=unknown)
    write_text(folder / "dvc.yaml", pipeline_text(left_out))
    write_text(folder / "params.yaml", yaml.safe_dump(dict(sections), sort_keys=False, allow_unicode=True))
    (folder / "budgets").mkdir(exist_ok=True)
    write_text(folder / "budgets/paper.txt", NO_BUDGET)
    write_text(folder / ".gitignore", IGNORED)
    write_text(folder / ".dvcignore", "__pycache__/\n.overgen-tmp-*\n")


def keep_archives(folder: Path, source: str) -> None:
    """Copy the archives of one of overgen's data sets to where `download` looks for them."""
    for place in (Path("data", source), borrow.FETCHED / source):
        if (place / "raw").is_dir() and not folder.exists():
            shutil.copytree(place / "raw", folder / "raw")


def keep(folder: Path, files: Sequence[Path]) -> None:
    """Copy the files of a network into a folder of their own, whole."""
    with replace_directory(folder) as temporary:
        for path in files:
            shutil.copyfile(path, temporary / path.name)


def name_of(text: str, taken: Collection[str], suffix: str) -> str:
    """A name for params.yaml from what a user calls a thing. A name that the papers have gets a suffix.

    Their numbers are no others' to be compared with.
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or suffix
    name = name if name[0].isalpha() else f"{suffix}_{name}"
    known = any(name == other or name.startswith(f"{other}_") for other in taken)
    return f"{suffix}_{name}" if known else name


def model_of(subject: str) -> str:
    """A name of the network: of its file, class or package."""
    text = subject.rpartition(":")[2] if ".py:" in subject else subject
    text = Path(text).stem if Path(text).suffix in SUFFIXES else text.rpartition("/")[2]
    return name_of(text, set(reported.load()["model"]), "audited")


def dataset_of(text: str) -> str:
    """A name of the data: of the folder, or of a data set of overgen's."""
    return name_of(Path(text).stem, DATASET_NAMES, "audited")


SUFFIXES = (".pt", ".pth", ".pt2", ".ts", ".onnx", ".safetensors", ".joblib", ".pkl", ".bin", ".ckpt")
