"""Running a stage: its declared parameters, its devices, its members, and picking up where a killed run stopped.

A cell (data set × model) has independent members: seeds, class subsets, blocks of trials. Ranks take whole members;
each finished member is a file under `.overgen/progress`, in a folder named by a hash of everything that the stage
depends on, so another σ, another data set or another line of code never meets the members of an earlier run, and
whoever takes a change back goes on where that run was killed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import logging
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import overgen
from overgen import OvergenError
from overgen.run import code, params, pipeline, progress, tracking
from overgen.run.devices import launch, leave, limited_to, whole_float32
from overgen.run.files import LEFT_OUT, files_of, read_npz, replace_directory, write_npz, write_text
from overgen.run.trainer import LIGHTNING_ADVICE
from overgen.run.yaml_files import read_document

if TYPE_CHECKING:
    from pytorch_lightning import Trainer

DYNAMIC = ("overgen.run.engine",)  # the section that it reads; else it imports the stage that this is part of
PROGRESS = Path(".overgen/progress")
KEPT = 2  # unfinished runs of a cell with other parameters, code or data: the newest, should those come back


@dataclass(frozen=True)
class Stage:
    """One cell at work. rank, world: this process among those that share the members of the cell."""

    name: str
    item: dict[str, str]
    params: params.Declared
    progress: Path
    device: Any
    rank: int
    world: int
    run: Any  # tracking.run's object

    @property
    def address(self) -> str:
        """What DVC calls the stage that makes the cell."""
        return pipeline.address(self.name, pipeline.read_stages()[self.name], self.item)

    @property
    def cell(self) -> Path:
        """Where the results go: reports/cells/<dataset>/<stage>/<model>."""
        return Path("reports/cells", self.item["dataset"], self.name, self.item["model"])

    def for_model(self, key: str) -> Any:
        """A value of params.yaml that is given once for every model, or by model: the one for the stage's model.

        Raises OvergenError if only other models' are given.
        """
        value, model = self.params(key), self.item["model"]
        if isinstance(value, dict) and model not in value:
            raise OvergenError(f"params.yaml, {key}: none for {model}; give one number, or one for each model")
        return value[model] if isinstance(value, dict) else value

    def members(
        self, names: Sequence[str], compute: Callable[[int, Any], dict[str, np.ndarray]]
    ) -> list[dict[str, np.ndarray]]:
        """The arrays of every member, computed by this rank, by the others, or by an earlier run that was killed.

        compute(i, run) gives the arrays of member i and may log to `run`. Returns the members in order on rank 0 and
        an empty list on the other ranks, which have nothing more to do.
        """

        def alone(chunk: Sequence[int], runs: Sequence[Any]) -> list[Callable[[], dict[str, np.ndarray]]]:
            return [lambda: compute(chunk[0], runs[0])]

        return self.chunks(names, [[i] for i in range(len(names))], alone)

    def chunks(
        self,
        names: Sequence[str],
        chunks: Sequence[Sequence[int]],
        compute: Callable[[Sequence[int], Sequence[Any]], Sequence[Callable[[], dict[str, np.ndarray]]]],
    ) -> list[dict[str, np.ndarray]]:
        """As `members`, for members that are computed together; ranks take whole chunks.

        compute(chunk, runs) computes these members and gives, for each, a function that returns its arrays: of a chunk
        that was killed between two files, only the missing ones are asked for.
        """
        paths = [self.progress / f"{name}.npz" for name in names]
        for chunk in progress.steps(chunks[self.rank :: self.world], "part"):
            finished = [i for i in chunk if paths[i].exists()]
            for i in finished:
                print(f"{self.name}: {names[i]} was finished by an earlier run", file=sys.stderr)
            if len(finished) == len(chunk):
                continue
            with ExitStack() as stack:
                runs = [stack.enter_context(self.run.member(names[i])) for i in chunk]
                for i, arrays in zip(chunk, compute(chunk, runs), strict=True):
                    if i not in finished:
                        write_npz(paths[i], **arrays())
        if self.world > 1:
            import torch.distributed

            print(f"{self.name}: rank {self.rank} of {self.world} is done", file=sys.stderr)
            torch.distributed.barrier()
        return [read_npz(path) for path in paths] if self.rank == 0 else []

    def trainer(self, *, epochs: int, precision: str = "32-true", **options: Any) -> Trainer:
        """A Lightning Trainer on this rank's device: deterministic, with nothing that is not asked for.

        options: further arguments of `Trainer`.
        """
        import pytorch_lightning as pl
        from pytorch_lightning.strategies import SingleDeviceStrategy

        # Lightning tells of every Trainer which devices it does not use, and advertises: a cell makes dozens of them.
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        for message in LIGHTNING_ADVICE:
            warnings.filterwarnings("ignore", message)
        defaults: dict[str, Any] = {
            "accelerator": self.device.type if self.device.type != "cuda" else "gpu",
            # The module is not wrapped: members have different weights, which no rank may average or broadcast.
            "strategy": SingleDeviceStrategy(device=self.device),
            "devices": 1,
            "max_epochs": epochs,
            "precision": precision,
            "deterministic": True,
            "logger": False,
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "log_every_n_steps": 1,  # modules log once an epoch; a larger number only makes Lightning warn
            "enable_progress_bar": False,
        }
        callbacks = [*options.pop("callbacks", ()), progress.callback()]
        return pl.Trainer(**(defaults | options), callbacks=callbacks)


def fingerprint(stage: str, item: dict[str, str], declared: params.Declared) -> str:
    """A hash of all that a stage depends on: declared parameters, its code as it is now, and the bytes of its data."""
    digest = hashlib.sha256(json.dumps(declared.values(), sort_keys=True).encode())
    if not pipeline.has_code(pipeline.read_stages()):
        digest.update(code.of_package().encode())
    for dependency in sorted(pipeline.stage_entry(stage, item)["deps"]):
        path = Path(dependency)
        if code.CODE in path.parents:  # a stage that DVC did not start may find an older one there
            digest.update(f"{dependency}\0{code.now(dependency)}".encode())
            continue
        if not path.exists():
            again = pipeline.address(stage, pipeline.read_stages()[stage], item)
            raise OvergenError(f"{dependency}: missing; `dvc repro {again}` makes it first")
        for file in files_of(path) if path.is_dir() else [path]:
            digest.update(f"{file.as_posix()}\0".encode())
            digest.update(hashlib.md5(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _refuse_code_from_elsewhere() -> None:
    """OvergenError unless the code that runs is this folder's: DVC records the checksums of that one.

    A study folder whose dvc.yaml has no stage `code`, as that of an audit, records none, and runs any overgen's.
    """
    if Path("dvc.yaml").is_file() and not pipeline.has_code(pipeline.read_stages()):
        return
    running, checkout = Path(overgen.__file__).resolve().parent, Path("src/overgen").resolve()
    if running != checkout:
        way_out = "run it in the checkout that the environment was set up for, or `make` in this one"
        missing = "" if checkout.is_dir() else " (there is none: this is no checkout of overgen)"
        raise OvergenError(f"the code that runs is {running}, not this folder's {checkout}{missing}; {way_out}")


@contextmanager
def opened(name: str, **item: str) -> Iterator[Stage]:
    """One cell of a stage, ready to work: parameters, tracking and, if it computes, threads, devices and progress.

    name: a folder of overgen.stages; item: the cell's values of the matrix, dataset and, for stages that write a cell,
    model. The stage's module `run` may say `COMPUTE = False` (it reads and writes small files: no device, no progress)
    and `ENGINE` (the params section with the number of threads; engine.<dataset> unless it does).
    Raises OvergenError if the code is another checkout's, or parameters, devices or dependencies are at fault.
    """
    _refuse_code_from_elsewhere()
    declared = params.declared(name, **item)
    with _tracked(name, item, declared) as run:  # its recorder starts while the stage's module is imported
        module = importlib.import_module(f"overgen.stages.{name}.run")
        if not getattr(module, "COMPUTE", True):
            yield Stage(name, item, declared, PROGRESS / name, None, 0, 1, run)
            return
        with limited_to(declared(f"{getattr(module, 'ENGINE', 'engine.' + item['dataset'])}.threads")):
            device, rank, world = launch()
            whole_float32()
            folder = _progress(name, item, declared, clean=rank == 0)
            yield Stage(name, item, declared, folder, device, rank, world, run)
    if rank == 0:
        shutil.rmtree(folder, ignore_errors=True)


def _progress(name: str, item: dict[str, str], declared: params.Declared, *, clean: bool) -> Path:
    """The folder of the cell's finished members, made. clean: remove those of other parameters, but for the newest."""
    folder = PROGRESS / name / "-".join(item.values()) / fingerprint(name, item, declared)
    folders = (path for path in folder.parent.glob("*") if path != folder)
    for earlier in sorted(folders, key=lambda p: p.stat().st_mtime)[:-KEPT] if clean else ():
        shutil.rmtree(earlier, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def execute(name: str, **item: str) -> None:
    """Run one cell of a stage: `main` of overgen.stages.<name>.run. Arguments and errors as of `opened`."""
    _run(name, **item)
    leave()


def _run(name: str, **item: str) -> None:
    title = f"{name} {'/'.join(item.values())}"
    _refuse_code_from_elsewhere()  # before a file of another folder is read
    if not pipeline.belongs(item, read_document("params.yaml").values or {}):
        if tracking.rank() == 0:
            _leave_out(name, item)
        return
    with progress.titled(title) as board:
        with opened(name, **item) as cell:
            importlib.import_module(f"overgen.stages.{name}.run").main(cell)
        if cell.rank == 0:  # which alone waits for the cell
            progress.ended(title, tracking.says(name, **item), time.monotonic() - board.began)


def _leave_out(name: str, item: dict[str, str]) -> None:
    """Write outputs that only say that the cell's model is none of its data set, for DVC, which knows but products."""
    says = (
        f"{item['model']} is for other data sets than {item['dataset']} (params.yaml, models.{item['model']}.datasets)"
    )
    for path in pipeline.stage_entry(name, item)["outs"]:
        with replace_directory(path) as folder:
            write_text(folder / LEFT_OUT, f"{says}\n")
    print(f"{name}: {says}: left out", file=sys.stderr)


def execute_all(name: str, dataset: str, key: str) -> None:
    """Run the cells of a stage's models on a data set, and remove those of other models. Errors as of `opened`.

    key: of the list of models in params.yaml. One stage of DVC's that makes many small cells costs less than many.
    """
    entry = pipeline.read_stages().get(name, {})
    if key != pipeline.lists_of(entry).get("model"):
        raise OvergenError(f"--models {key}: not the list of models that dvc.yaml gives for stage {name}")
    document = read_document("params.yaml")
    pipeline.no_name_twice(document, tuple(key.split(".")))
    listed = pipeline.matrix_of(entry, document.values)["model"]
    models = [model for model in listed if pipeline.belongs({"dataset": dataset, "model": model}, document.values)]
    for model in models:
        _run(name, dataset=dataset, model=model)
    leave()
    for path in sorted(Path("reports/cells", dataset, name).glob("*/")):
        if path.name not in models and tracking.rank() == 0:
            shutil.rmtree(path)


@contextmanager
def _tracked(name: str, item: dict[str, str], declared: params.Declared) -> Iterator[Any]:
    """The MLflow run of a cell, which ends with the cell's metrics; None for a stage that writes no cell."""
    if "model" not in item:
        yield None
        return
    tags = {"dvc.stage": pipeline.address(name, pipeline.read_stages()[name], item)}
    began = tracking.now()
    with tracking.run(name, item["dataset"], item["model"], params=declared.written, tags=tags) as run:
        yield run
        if tracking.rank() == 0:
            tracking.finish(run, Path("reports/cells", item["dataset"], name, item["model"]), began)


def command(arguments: Sequence[str]) -> int:
    """Run a cell, or those of several models, from the command line. Returns the exit status.

    An OvergenError is printed without a traceback.
    """
    parser = argparse.ArgumentParser(prog="python -m overgen.run", description="Run one cell of a stage of dvc.yaml.")
    parser.add_argument("stage")
    parser.add_argument("--dataset", required=True)
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--model")
    models.add_argument("--models", metavar="LIST", help="of params.yaml: its models one after another")
    given = parser.parse_args(arguments)
    try:
        if given.models:
            execute_all(given.stage, given.dataset, given.models)
        else:
            execute(given.stage, dataset=given.dataset, **({"model": given.model} if given.model else {}))
    except OvergenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
