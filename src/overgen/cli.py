"""`overgen`: what is done beside the stages. The stages themselves are run by `dvc repro`.

Commands import what they use, so that `overgen --help` answers at once.
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from overgen import OvergenError, arguments

REPORTS = ("report", "report_page")  # stages that draw the report of a data set

commands = typer.Typer(
    help="Overgeneralisation of neural classifiers, reproduced, measured and extended. "
    "Run from the repository root; `dvc repro` runs the study.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


# Options about networks that overgen did not train.
Weights = Annotated[
    Path | None, typer.Option(help="Of a network that is named by its class or by torchvision: a file.")
]
Module = Annotated[
    str | None, typer.Option("--network", help="FILE.py:CLASS, which a file of weights is of; it is run.")
]
Shape = Annotated[
    str | None, typer.Option(help="Of the images, as CHANNELS,HEIGHT,WIDTH, if the file does not say it.")
]
Mean = Annotated[str | None, typer.Option(help="That it takes from each channel, as 0.485,0.456,0.406 or one number.")]
Std = Annotated[str | None, typer.Option(help="That it divides each channel by.")]
Scale = Annotated[float | None, typer.Option(help="White as it takes pixels, 1 or 255. Default: 1.")]
Outputs = Annotated[
    str | None,
    typer.Option(
        help="logits, log_probabilities, probabilities, scores or log_scores. Default: detected, and checked."
    ),
]
OutputKey = Annotated[str | None, typer.Option(help="Key or number of its answer, where it has several.")]
UnsafePickle = Annotated[
    bool | None,
    typer.Option(
        "--unsafe-pickle",
        help="Read a pickle. It can run any code on this machine: only for files whose maker you trust.",
    ),
]


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


def complete(names: Callable[[], list[str]]) -> Callable[[str], list[str]]:
    """The names that begin with what has been typed, for the shell; none outside a checkout."""

    def complete(incomplete: str) -> list[str]:
        try:
            enter_root()
            return [name for name in names() if name.startswith(incomplete)]
        except OvergenError:
            return []

    return complete


def enter_root() -> None:
    """Go to the root of the checkout that this folder is in. Raises OvergenError if it is in none."""
    cwd = Path.cwd()
    for folder in (cwd, *cwd.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            os.chdir(folder)
            return
    raise OvergenError(f"{cwd}: neither it nor a folder above it holds dvc.yaml and params.yaml; cd into the checkout")


@commands.command()
def reproduce(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="As of `dvc repro`. Default: all of dvc.yaml.", autocompletion=complete(arguments.addresses)
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Cells at a time; 0: as many as cores.")] = 0,
    force: Annotated[bool, typer.Option("--force", "-f", help="Run what is up to date, too.")] = False,
) -> None:
    """Do what `dvc repro` does, with cells side by side.

    It records the same dvc.lock.
    """
    enter_root()
    arguments.check_targets(targets or ())
    from overgen.run import code
    from overgen.run.reproduce import reproduce

    def check() -> bool:
        """Write `.overgen/code` now: DVC takes no dvc.yaml for a dependency, and would not see that it was edited."""
        with redirect_stdout(io.StringIO()):
            return code.main()

    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    sys.exit(reproduce(targets or (), jobs=jobs or available, force=force, check=check))


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
def check(tolerance: Annotated[float, typer.Option(min=0, help="Of ỹ, between stored and found.")] = 1e-5) -> None:
    """Score the stored fooling images again, with the weights.

    Exit 1 where a score differs.
    """
    if not math.isfinite(tolerance):
        raise OvergenError(f"--tolerance {tolerance:g}: must be a number from 0")
    from overgen.rescoring import rescore, rescore_perceptrons, rescore_smallest
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
        cells += [rescore_perceptrons(dataset)] if dataset in settings.szegedy_datasets else []
        for cell in cells:
            print(f"{cell.cell}: {cell.images} images, largest difference {cell.difference:.1e}")
            if not cell.difference <= tolerance:  # NaN, too
                wrong.append(f"{cell.cell} ({cell.difference:.1e})")
    if wrong:
        raise OvergenError(
            f"stored scores are not those of the published weights: {'; '.join(wrong)}. If weights or params.yaml were "
            "changed by hand, `dvc repro` remakes the cells; else the processor may round differently: --tolerance"
        )


@commands.command()
def export(
    cell: Annotated[
        str,
        typer.Argument(
            help="A trained network as data set/model, such as mnist/dae_sym.",
            autocompletion=complete(arguments.trained_cells),
        ),
    ],
    path: Annotated[Path, typer.Argument(help="The .pt2 file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Of its training.")] = 0,
    alpha: Annotated[
        float | None, typer.Option(help="α of c̃. Default: the first of confidence.<data set> in params.yaml.")
    ] = None,
    beta: Annotated[float | None, typer.Option(help="β of Γ. Default: that of confidence.<data set>.")] = None,
) -> None:
    """Write a network with its confidence as a torch.export program.

    `y, c = torch.export.load("model.pt2").module()(x)`, with torch only, takes images x (N, 1, 28, 28) in [0, 1] and
    gives the scaled output ỹ (N, classes) and the confidence c̃ (N,), which is 1 for a network that does not
    reconstruct.
    """
    arguments.check_cell(cell)
    from overgen.export import export

    used = export(cell, path, seed=seed, alpha=alpha, beta=beta)
    confidence = "c̃ = 1: it does not reconstruct" if used is None else "α = {:g}, β = {:g}".format(*used)
    print(f"{path}: {cell}, seed {seed}; {confidence}")


@commands.command()
def adopt(
    file: Annotated[
        str, typer.Argument(help="The network: its file, FILE.py:CLASS, torchvision/NAME, or efficientnet-lite0.")
    ],
    cell: Annotated[str, typer.Option("--as", help="DATASET/NAME that it gets in the study, such as mnist/mine.")],
    weights: Weights = None,
    network: Module = None,
    option: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of the class's constructor; may be given several times.")
    ] = None,
    mean: Mean = None,
    std: Std = None,
    scale: Scale = None,
    size: Annotated[str | None, typer.Option(help="HEIGHT,WIDTH of the images that it gets, if not theirs.")] = None,
    channels: Annotated[
        int | None, typer.Option(help="That it gets: 1 (gray) or 3, if not those of the images.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="NCHW, NHWC or flat. Default: NCHW, or what the file says.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or uint8. Default: float32, or what the file says.")
    ] = None,
    outputs: Outputs = None,
    output_key: OutputKey = None,
    features: Annotated[str | None, typer.Option(help="Layer whose output are its features. Default: found.")] = None,
    unsafe_pickle: UnsafePickle = None,
    into: Annotated[
        str | None, typer.Option(help="Lists of params.yaml that get its name. Default: attacked,evolved.")
    ] = None,
) -> None:
    """Put a network that was trained elsewhere into the study.

    It is checked, its file copied to models/DATASET/adopted/NAME, and its entry written into params.yaml.
    `overgen reproduce report@DATASET` then takes it through every stage.
    """
    given: dict[str, Any] = {
        "weights": weights, "network": network, "mean": mean, "std": std, "scale": scale, "outputs": outputs,
        "output_key": output_key, "unsafe_pickle": unsafe_pickle, "channels": channels,
        "size": arguments.whole_numbers(size, "--size", "HEIGHT,WIDTH"),
        "layout": layout, "dtype": dtype, "features": features,
        "options": arguments.constructor_options(option or ()),
    }  # fmt: skip
    arguments.check_from_elsewhere(file, weights, network)
    from overgen.adopting import adopt

    adopted, lists = adopt(
        file, cell, into=None if into is None else [name for name in into.split(",") if name],
        **arguments.open_options(**given),
    )  # fmt: skip
    gradient = "" if adopted.differentiable else ", a black box"
    print(
        f"{cell}: {file}, {adopted.classes} classes, outputs {adopted.outputs}{gradient}; in {', '.join(lists)} of "
        f"params.yaml. `overgen reproduce report@{cell.partition('/')[0]}` takes it through the study"
    )


@commands.command()
def audit(
    subject: Annotated[
        str,
        typer.Argument(
            help="The network: a file (.pt2, TorchScript, .onnx, .joblib), FILE.py:CLASS with --weights, "
            "torchvision/resnet18, efficientnet-lite0."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Pictures that it is for: a folder or zip file, with a folder for each class if labelled."),
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="A data set of overgen's instead: mnist, fashion_mnist, digits.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write. Default: audit-NETWORK.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute in place of several.")] = False,
    unknown: Annotated[
        Path | None, typer.Option(help="Pictures of what it does not know: a folder or zip file.")
    ] = None,
    classes: Annotated[int, typer.Option(min=2, help="How many classes are attacked, drawn if it has more.")] = 10,
    tau: Annotated[float, typer.Option(help="The score above which an image fools.")] = 0.99,
    class_names: Annotated[
        Path | None,
        typer.Option(help="A file with a class a line, in the network's order. Default: the folders' by alphabet."),
    ] = None,
    weights: Weights = None,
    network: Module = None,
    shape: Shape = None,
    mean: Mean = None,
    std: Std = None,
    scale: Scale = None,
    layout: Annotated[str | None, typer.Option(help="Of the images as it takes them: NCHW or NHWC.")] = None,
    size: Annotated[str | None, typer.Option(help="HEIGHT,WIDTH that it takes, where pictures have another.")] = None,
    outputs: Outputs = None,
    output_key: OutputKey = None,
    unsafe_pickle: UnsafePickle = None,
    max_fooled: Annotated[float | None, typer.Option(help="Limit: percent of trials that any attack fools.")] = None,
    min_accuracy: Annotated[float | None, typer.Option(help="Limit: percent.")] = None,
    max_ece: Annotated[float | None, typer.Option(help="Limit: expected calibration error, 0 to 1.")] = None,
    min_auroc: Annotated[
        float | None, typer.Option(help="Limit: AUROC, known from unknown by its largest score, 0 to 1.")
    ] = None,
) -> None:
    """Audit a classifier that overgen did not train, with the study's own stages.

    Accuracy and calibration, what fools it, how small a change is enough, and how well it tells what it does not know.
    Exit 3 if a limit is not met. Interrupted, the same command goes on.
    """
    limits = {"max-fooled": max_fooled, "min-accuracy": min_accuracy, "max-ece": max_ece, "min-auroc": min_auroc}
    arguments.check_audit(subject, data=data, on=on, unknown=unknown, tau=tau, weights=weights, network=network,
                          limits=limits)  # fmt: skip
    options = arguments.open_options(
        weights=weights, network=network, shape=shape, mean=mean, std=std, scale=scale, layout=layout,
        size=arguments.whole_numbers(size, "--size", "HEIGHT,WIDTH"), outputs=outputs, output_key=output_key,
        unsafe_pickle=unsafe_pickle,
    )  # fmt: skip
    from overgen.audits import audit as audits

    verdicts = audits.audit(
        subject,
        output or Path(f"audit-{audits.folder.model_of(subject)}"),
        data=data,
        on=on,
        unknown=unknown,
        quick=quick,
        attacked=classes,
        tau=tau,
        limits=[audits.limit(name, value) for name, value in limits.items() if value is not None],
        network=options,
        class_names=class_names,
    )
    if not all(verdict.met for verdict in verdicts):
        sys.exit(audits.NOT_MET)


@commands.command()
def fool(
    start: Annotated[str, typer.Argument(help="The picture to start from: a file, `noise` or `mean`.")],
    to: Annotated[str, typer.Option(help="The class it shall be taken for: name or number.")],
    on: Annotated[
        str,
        typer.Option(
            help="The network: a cell such as mnist/cnn, torchvision/resnet18, efficientnet-lite0, or a file.",
            autocompletion=complete(arguments.networks),
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The PNG file to write.")] = Path("fooled.png"),
    smallest: Annotated[bool, typer.Option("--smallest", help="The smallest change that fools, by L-BFGS.")] = False,
    tau: Annotated[float | None, typer.Option(help="Score to pass. Default: the study's first τ, 0.9.")] = None,
    alpha: Annotated[float | None, typer.Option(help="α of a cell's c̃. Default: the study's first.")] = None,
    updates: Annotated[int, typer.Option(min=1, help="At most so many.")] = 500,
    rate: Annotated[
        float | None, typer.Option(help="RMS change of the pixels in one update, of [0, 1]. Default: 0.01.")
    ] = None,
    decay: Annotated[float | None, typer.Option(help="Towards the mean image, after each update: 0 to 1.")] = None,
    blur: Annotated[float | None, typer.Option(help="Standard deviation, pixels.")] = None,
    blur_every: Annotated[int | None, typer.Option(min=1, help="Updates between two blurs. Default: 4.")] = None,
    clip: Annotated[float | None, typer.Option(help="Percent of pixels put onto the mean image.")] = None,
    weights: Weights = None,
    network: Module = None,
    shape: Shape = None,
    mean: Mean = None,
    std: Std = None,
    scale: Scale = None,
    outputs: Outputs = None,
    output_key: OutputKey = None,
    unsafe_pickle: UnsafePickle = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the noise. Default: 0.")] = None,
    invert: Annotated[
        bool | None,
        typer.Option("--invert/--no-invert", help="Whether the picture is dark ink on a light ground, to be inverted."),
    ] = None,
) -> None:
    """Change a picture until a network takes it for a class.

    By gradient ascent, or the smallest change that does it. Cells of the study are attacked on what they report, c̃·y.
    Exit 1 if the picture does not fool; it is written all the same.
    """
    strangers: dict[str, Any] = {
        "weights": weights, "network": network, "shape": shape, "mean": mean, "std": std, "scale": scale,
        "outputs": outputs, "output_key": output_key, "unsafe_pickle": unsafe_pickle,
    }  # fmt: skip
    arguments.check_fool(start, to, on, output, smallest=smallest, alpha=alpha, tau=tau, rate=rate, decay=decay,
                         blur=blur, blur_every=blur_every, clip=clip, seed=seed, invert=invert,
                         **strangers)  # fmt: skip
    options = arguments.open_options(**strangers)
    from overgen import fool as fooling
    from overgen.attacks.ascent import Regularisers

    subject = fooling.subject_of(on, alpha=alpha, **options)
    target, tau = fooling.class_number(subject, to), subject.tau if tau is None else tau
    image = fooling.first_image(subject, start, seed or 0, invert)
    chosen: dict[str, Any] = {"decay": decay, "blur": blur, "blur_every": blur_every, "clip": clip}
    try:
        outcome = fooling.fool(
            subject,
            image,
            target,
            tau=tau,
            smallest=smallest,
            updates=updates,
            rate=fooling.RATE if rate is None else rate,
            regularisers=Regularisers(**{name: value for name, value in chosen.items() if value is not None}),
        )
    except FloatingPointError as error:
        raise OvergenError(f"{on}: {error}; another start may have one") from error
    fooling.save(outcome.image, output)
    way = "smallest change" if smallest else f"{outcome.updates} update{'s' * (outcome.updates != 1)}"
    print(
        f"{output}: {subject.name} sees {subject.classes[outcome.label]!r}; score of {subject.classes[target]!r} "
        f"{outcome.start_score:.3g} → {outcome.score:.4g} after {way}; changed by {outcome.l2:.3g} (L2), "
        f"{outcome.rms:.3g} (RMS)"
    )
    if not outcome.score > tau:
        raise OvergenError(f"not fooled: {outcome.score:.4g} is not above {tau:g}; try more --updates or another start")


def app() -> None:
    """The command line; errors meant for the user are printed without a traceback, with exit code 1."""
    try:
        commands()
    except OvergenError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    app()
