"""`overgen audit`: from a network and pictures to a study folder, its cells, its report and what came of the limits."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from overgen import OvergenError
from overgen.audits import budgets, document, execution, folder, thresholds
from overgen.audits.thresholds import Limit, Verdict
from overgen.report.names import dataset_name
from overgen.run import pipeline
from overgen.run.yaml_files import read_document

TRACKING = "OVERGEN_TRACKING"
NOT_MET = 3  # the exit status where a limit is not met
OTHERS = {"mnist": ["fashion_mnist"], "fashion_mnist": ["mnist"]}  # whose images are unknown to whom
DVC = r"`dvc repro\b[^`]*`"  # the way out of stages' errors, which means nothing in the folder of an audit
FLAT = "no labels: the pictures lie in no class folders"


class Pictures(NamedTuple):
    """What a network is tried on. name: in params.yaml; title: for readers; options: of its line under `download`.

    labelled: whether it says which class each picture is of.
    """

    name: str
    title: str
    options: dict[str, Any]
    labelled: bool


def audit(
    subject: str,
    output: Path,
    *,
    data: Path | None,
    on: str | None,
    unknown: Path | None,
    quick: bool,
    attacked: int,
    tau: float,
    limits: Sequence[Limit],
    network: Mapping[str, Any],
    class_names: Path | None = None,
) -> list[Verdict]:
    """Audit a network into a folder. Returns what came of the limits.

    subject: what `open_network` opens; network: its further arguments. data: a folder or zip file of pictures, or on: a
    data set of overgen's. unknown: pictures of what the network does not know. attacked: how many classes are, at most.
    tau: the score above which an image fools. class_names: a file, in the network's order a class a line.
    Raises OvergenError for a network that fails a check, before anything is written, and for pictures that do.
    """
    from overgen.data import folders
    from overgen.models.adopted import open_network

    given = dict(network)
    if class_names is not None:
        if data is None:
            raise OvergenError(f"--class-names {class_names}: {on} has names of its own; it goes with --data")
        given["class_names"] = folders.class_names(class_names)
    if on is not None:
        given.setdefault("shape", borrowed(on).shape)
    opened = open_network(subject, **given)
    pictures = own_pictures(data, opened) if data is not None else of_overgen(str(on), opened)
    model = folder.model_of(subject)
    left_out = () if opened.differentiable else folder.GRADIENTS
    unused = (*left_out, "attacked") if left_out else ()  # sections and the list of these stages alone
    notes = [] if pictures.labelled else [f"Accuracy and calibration: {FLAT}."]
    if left_out:
        notes.append(
            f"{', '.join(left_out)}: the network is a black box: it gives no gradient, which these attacks follow."
        )
    effort = budgets.QUICK if quick else budgets.FULL
    title = f"Audit of {shown(subject)} on {pictures.title}"
    sections = sections_of(
        subject, opened, model, pictures, effort=effort, attacked=attacked, tau=tau,
        unknown=unknown is not None, network=network, title=title, notes=notes,
    )  # fmt: skip
    strange = None if unknown is None else folders.read_folder(unknown, opened.shape, limit=effort.unknowns)[0]
    new = folder.prepare(output, pictures.name, model, left_out=left_out)
    sections = {key: section for key, section in sections.items() if key not in unused}
    folder.write(output, sections, left_out=left_out, unknown=strange)
    if on is not None:
        folder.keep_archives(output / "data" / pictures.name, on)
    folder.keep(output / "models" / pictures.name / "adopted" / model, opened.files)
    with inside(output):
        cells = cells_here()
        try:
            execution.run(cells)
        except OvergenError as error:
            if new and not any(Path("reports").glob("cells/*/*/*/metrics.json")):
                shutil.rmtree(Path.cwd())
            elif any(Path("reports").glob("cells/*/adopt/*/metrics.json")):
                adopted = thresholds.numbers(cell for cell in cells if cell[0] == "adopt")
                for line in document.doubts(adopted, opened.classes):
                    print(line)
            raise OvergenError(re.sub(DVC, "`overgen audit` with the same arguments", str(error))) from error
        found = thresholds.numbers(cells)
        verdicts = thresholds.judged(limits, found, tau)
        document.write(
            title=title, subject=opened.metadata, dataset=pictures.name, model=model, budget=sections, notes=notes,
            cells=cells, numbers=found, verdicts=verdicts,
        )  # fmt: skip
        print(f"\n{title}")
        doubts = document.doubts(found, opened.classes)
        for line in [
            *document.summary(found, tau),
            *doubts,
            *(f"not testable: {note}" for note in notes),
            *map(str, verdicts),
        ]:
            print(line)
    print(f"{output / 'report.html'}, {output / 'audit.json'}")
    return verdicts


def limit(option: str, value: float) -> Limit:
    """A limit as an option of the command line gives it."""
    return Limit(option, value, least=option.startswith("min"))


def borrowed(name: str) -> Any:
    from overgen.data import borrow, sources

    sources.source_of(name)
    return borrow.borrow(name, os.environ.get("OVERGEN_MIRROR") or None)


def of_overgen(name: str, network: Any) -> Pictures:
    """One of overgen's data sets. Raises OvergenError where the network has another number of classes."""
    found = len(borrowed(name).classes)
    if found != network.classes:
        raise OvergenError(
            f"{network.name}: has {network.classes} classes, {name} has {found}; audit it on pictures of its own "
            "classes: --data FOLDER"
        )
    return Pictures(folder.dataset_of(name), dataset_name(name), {"source": name}, labelled=True)


def own_pictures(path: Path, network: Any) -> Pictures:
    """A user's folder or zip file. Pictures in class folders are labelled by them, others not at all.

    Raises OvergenError where it is missing or empty, or its folders are not the network's classes.
    """
    from overgen.data.folders import files_of
    from overgen.data.reader import FORMATS

    with files_of(path.expanduser()) as (names, _):
        if not names:
            raise OvergenError(f"{path}: holds no pictures in a form that is read ({', '.join(FORMATS)})")
        within = {Path(name).parent for name in names}
    labelled, given = len(within) > 1, network.class_names  # one folder around all of them is no class
    found = sorted({folder.name for folder in within if folder.name})
    if labelled and given is None and len(found) != network.classes:
        raise OvergenError(
            f"{path}: has {len(found)} class folders ({', '.join(found[:10])}{', …' if len(found) > 10 else ''}), and "
            f"{network.name} {network.classes} classes; say which they are, in its order: --class-names FILE, a name a "
            "line"
        )
    options: dict[str, Any] = {
        "source": "image_folder",
        "path": path.expanduser().resolve().as_posix(),
        "shape": list(network.shape),
        "fit": "crop" if network.shape[0] == 3 else "pad",
        "labelled": labelled,
    }
    if given is not None or not labelled:
        options["classes"] = list(given or map(str, range(network.classes)))
    return Pictures(folder.dataset_of(path.resolve().name), path.resolve().name, options, labelled)


def shown(subject: str) -> str:
    """A network for readers: what the user called it, without the folders before it."""
    return subject.rpartition("/")[2] if "." in Path(subject).name else subject


def sections_of(
    subject: str, opened: Any, model: str, pictures: Pictures, *, effort: budgets.Effort, attacked: int, tau: float,
    unknown: bool, network: Mapping[str, Any], title: str, notes: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """params.yaml of the study. opened: the network; other arguments: see `audit`."""
    name, engine = pictures.name, budgets.engine(opened.shape)
    attacks = budgets.attacks(model, effort, classes=opened.classes, attacked=attacked, chunk=engine["chunk"])
    scores = budgets.unknowns(effort, classes=opened.classes)
    if unknown:
        scores["evaluate_unknowns"]["own"] = {name: folder.UNKNOWN}
    if pictures.options["source"] in OTHERS:
        scores["evaluate_unknowns"]["other_data"] = {name: OTHERS[pictures.options["source"]]}
    from overgen import adopting

    return {
        "datasets": [name],
        "adopted": [model],
        "attacked": [model],
        "evolved": [model],
        "scored_datasets": [name],
        "unknown_models": [model],
        "models": {
            model: adopting.entry_of(subject, Path("models", name, "adopted", model), opened, name, given=network)
        },
        "engine": {name: engine},
        "confidence": {name: {"beta": 10, "thresholds": [{"tau": tau, "alpha": 0}]}},
        "download": {name: pictures.options},
        **{stage: {name: section} for stage, section in attacks.items()},
        "adopt": {"resamples": 1000, "bins": 15},
        **scores,
        "report": {"dpi": 110, "bands": {}, "audit": {"title": title, "notes": list(notes)}},
    }


def cells_here() -> list[tuple[str, dict[str, str]]]:
    """The cells of the current study folder, in the order in which they need each other."""
    values = read_document("params.yaml").values
    return [
        (stage, item) for stage, entry in pipeline.read_stages().items() for item in pipeline.cells_of(entry, values)
    ]


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """A study folder as working directory, and no tracking unless the user asks for it."""
    before, tracked = Path.cwd(), os.environ.get(TRACKING)
    os.chdir(folder)
    os.environ.setdefault(TRACKING, "off")
    try:
        yield
    finally:
        os.chdir(before)
        if tracked is None:
            os.environ.pop(TRACKING, None)
