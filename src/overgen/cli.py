"""`overgen`: what is done beside the stages. The stages themselves are run by `dvc repro`.

Commands import what they use, so that `overgen --help` answers at once.
"""

from __future__ import annotations

import io
import math
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from overgen import OvergenError, arguments, network_commands
from overgen.checkout import complete, enter_root

REPORTS = ("report", "report_page")  # stages that draw the report of a data set
Targets = Annotated[
    list[str] | None,
    typer.Argument(help="As of `dvc repro`. Default: all of dvc.yaml.", autocompletion=complete(arguments.addresses)),
]

commands = typer.Typer(
    help="Overgeneralisation of neural classifiers, reproduced, measured and extended. "
    "Run from the repository root; `dvc repro` runs the study.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"overgen {version('overgen')}")
        raise typer.Exit


@commands.callback()
def main(
    _: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show it and end.")
    ] = False,
) -> None:
    pass


@commands.command()
def reproduce(
    targets: Targets = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Cells at a time; 0: as many as cores.")] = 0,
    force: Annotated[bool, typer.Option("--force", "-f", help="Run what is up to date, too.")] = False,
) -> None:
    """Do what `dvc repro` does, with cells side by side.

    It records the same dvc.lock.
    """
    enter_root()
    arguments.check_targets(targets or ())
    from overgen.run.reproduce import reproduce

    sys.exit(reproduce(targets or (), jobs=jobs or cores(), force=force, check=write_code))


def write_code() -> bool:
    """Write `.overgen/code` now: DVC takes no dvc.yaml for a dependency, and would not see that it was edited."""
    from overgen.run import code

    with redirect_stdout(io.StringIO()):
        return code.main()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@commands.command()
def run(
    targets: Targets = None,
    on: Annotated[str, typer.Option(help="local, slurm or ray.")] = "local",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="key=value: of submitit, such as slurm_partition=gpu, or of Ray's tasks."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="On local, at a time; 0: as many as cores.")] = 0,
    force: Annotated[bool, typer.Option("--force", "-f", help="Run what is up to date, too.")] = False,
) -> None:
    """Do what `dvc repro` does, with cells handed to a scheduler.

    It records the same dvc.lock. A cell that fails leaves the others at work.
    """
    enter_root()
    arguments.check_targets(targets or ())
    options = arguments.options_of(option or ())
    from contextlib import closing

    from overgen.run.clusters import open_cluster
    from overgen.run.reproduce import reproduce

    with closing(open_cluster(on, options, jobs or cores())) as cluster:
        many = cluster.jobs or sys.maxsize
        sys.exit(reproduce(targets or (), jobs=many, force=force, check=write_code, cluster=cluster))


@commands.command()
def cells(
    targets: Targets = None,
    as_json: Annotated[bool, typer.Option("--json", help="With commands, dependencies and outputs.")] = False,
) -> None:
    """Say what `dvc repro` would run, and what each cell needs.

    Cells of one level can run side by side.
    """
    import json

    from dvc.exceptions import DvcException

    enter_root()
    arguments.check_targets(targets or ())
    from overgen.run import cells as found

    write_code()
    try:
        rows = found.cells(targets or ())
    except DvcException as error:
        raise OvergenError(str(error)) from error
    print(json.dumps(rows, indent=1) if as_json else found.as_text(rows))


@commands.command()
def sync(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(help="Only the cells of these data sets.", autocompletion=complete(arguments.datasets)),
    ] = None,
) -> None:
    """Log finished cells that have no MLflow run yet.

    Such are those from Git, and those that DVC took from its cache.
    """
    enter_root()
    arguments.check_datasets(datasets or ())
    log_finished_cells(datasets or [])


def log_finished_cells(datasets: list[str]) -> None:
    """Log what has no run yet, with a bar on a terminal. Raises OvergenError if MLflow cannot be written."""
    from rich.progress import Progress

    from overgen.run import sync, tracking

    if not tracking.enabled():
        print("OVERGEN_TRACKING=off: nothing is logged")
        return
    with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("logging cells", total=None)
        cells, logged = sync.sync(
            datasets=datasets, report=lambda done, total: bar.update(task, completed=done, total=total)
        )
    print(f"{tracking.shown(tracking.uri())}: {logged} cells logged, {cells - logged} were there")


@commands.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port on this machine.")] = 5000) -> None:
    """Serve MLflow's page on the runs, until Ctrl-C.

    Cells without a run are logged first, then the address is printed.
    """
    import signal
    import socket
    import subprocess
    from contextlib import suppress

    from overgen.run import sync as runs
    from overgen.run import tracking

    enter_root()
    uri = tracking.uri()
    if uri.startswith(("http://", "https://")):
        print(f"The runs are at {tracking.shown(uri)} (MLFLOW_TRACKING_URI)")
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that just ended does not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OvergenError(f"port {port}: {error.strerror}; choose another: `overgen ui --port 5001`") from error
    log_finished_cells([])
    runs.prepare()
    # One worker and no job runners: each takes seconds and 250 MB, and there is one reader.
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--workers", "1"]
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | tracking.RECORDER_ENVIRONMENT | os.environ
    log = Path(".overgen/mlflow.log")
    log.parent.mkdir(exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with log.open("w") as output:
        # In a group of its own: on Ctrl-C, MLflow's processes would each print a traceback, and some would stay.
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_it_answers(port, server)
        if server.poll() is None:
            print(
                f"http://127.0.0.1:{port}/{runs.page(uri)}\nMLflow on {tracking.shown(uri)}; Ctrl-C ends it", flush=True
            )
        status = server.wait()
    except KeyboardInterrupt:
        return
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    raise OvergenError(f"the MLflow server ended with status {status}; {log} holds what it said")


def wait_until_it_answers(port: int, server: Any) -> None:
    """Wait until a server on this machine takes connections, or has ended."""
    import socket
    import time

    while server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


@commands.command()
def readme(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when a page is stale.")] = False,
) -> None:
    """Make README.md and docs/findings.md again from the reports."""
    from overgen.report import pages
    from overgen.run.files import write_text

    enter_root()
    for name, text in pages.render(Path()).items():
        path = Path(name)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            print(f"{name}: up to date")
        elif check:
            raise OvergenError(f"{name}: is stale; run `overgen readme`")
        else:
            write_text(path, text)
            print(f"{name}: written")


@commands.command()
def figures() -> None:
    """Redraw every report from the cells that are here."""
    from overgen.run import params
    from overgen.run.pipeline import cells_of, read_stages
    from overgen.run.stage import execute

    enter_root()
    broken = []
    stages, values = read_stages(), params.load().sections
    drawn = {item["dataset"]: stage for stage in REPORTS for item in cells_of(stages[stage], values)}
    for dataset, stage in drawn.items():
        if not Path("reports/cells", dataset).is_dir():
            print(f"{dataset}: no cells here; `make reproduce DATASET={dataset}` makes them")
            continue
        try:
            execute(stage, dataset=dataset)
            print(f"reports/{dataset}/report.html")
        except OvergenError as error:  # a half-finished data set does not keep the others from being drawn
            broken.append(f"{dataset}: {error}")
    if broken:
        raise OvergenError("; ".join(broken))


@commands.command()
def budget(
    path: Annotated[Path, typer.Argument(help="Lines `key=value`, keys of params.yaml: budgets/paper.txt")],
) -> None:
    """Set the budgets of a file in params.yaml, keeping its comments."""
    from overgen.run.budget import set_budgets
    from overgen.run.yaml_files import flow

    for key, value in set_budgets(path).items():
        print(f"{key} = {flow(value)}")


@commands.command()
def check(
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="Of ỹ, between stored and found. Default: 1e-5.")
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache", help="Instead: where the outputs of dvc.lock are, and what lost ones cost.")
    ] = False,
) -> None:
    """Score the stored fooling images again, with the weights.

    Exit 1 where a score differs or, with --cache, where an output exists nowhere.
    """
    if cache:
        if tolerance is not None:
            raise OvergenError("--tolerance: has no part in --cache, which scores nothing; leave one of them out")
        from overgen.run import absent

        enter_root()
        absent.check()
        return
    tolerance = 1e-5 if tolerance is None else tolerance
    if not math.isfinite(tolerance):
        raise OvergenError(f"--tolerance {tolerance:g}: must be a number from 0")
    from overgen.rescoring import SEEDED, rescore, rescore_perceptrons, rescore_seeds, rescore_smallest
    from overgen.run import params, progress

    settings, wrong = params.load(), []
    for dataset in settings.datasets:
        if not Path("reports/cells", dataset).is_dir():
            print(f"{dataset}: no cells here; `make reproduce DATASET={dataset}` makes them")
            continue
        variants = settings.fooled_variants if dataset in settings.variant_datasets else []
        models = list(dict.fromkeys([*settings.attacked, *settings.evolved, *variants]))
        with progress.titled(f"check {dataset}"):
            cells = [cell for model in progress.steps(models, "network") for cell in rescore(dataset, model, settings)]
        cells += [rescore_smallest(dataset, model, settings) for model in settings.attacked]
        if dataset in settings.szegedy_datasets:
            cells += [rescore_perceptrons(dataset), *(rescore_seeds(dataset, stage) for stage in SEEDED)]
        for cell in cells:
            print(f"{cell.cell}: {cell.images} images, largest difference {cell.difference:.1e}")
            if not cell.difference <= tolerance:  # NaN, too
                wrong.append(f"{cell.cell} ({cell.difference:.1e})")
    if wrong:
        raise OvergenError(
            f"stored scores are not those of the published weights: {'; '.join(wrong)}. If weights or params.yaml were "
            "changed by hand, `dvc repro` remakes the cells; else the processor may round differently: --tolerance"
        )


commands.add_typer(network_commands.commands)


def app() -> None:
    """The command line; errors meant for the user are printed without a traceback, with exit code 1."""
    try:
        commands()
    except OvergenError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    app()
