"""The commands on one network: `overgen export`, `adopt`, `audit`, `fool` and `anomaly`.

They import what they use, as those of `overgen.cli` do.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from overgen import OvergenError, arguments
from overgen.checkout import complete

commands = typer.Typer()

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


@commands.command()
def anomaly(
    picture: Annotated[str, typer.Argument(help="The picture: a file.")],
    on: Annotated[
        str,
        typer.Option(
            help="A network that reconstructs, as data set/model: fashion_mnist/autoencoder.",
            autocompletion=complete(arguments.trained_cells),
        ),
    ],
    k: Annotated[float, typer.Option(min=0, help="Deviations above the mean, beyond which it is an anomaly.")] = 3,
    invert: Annotated[
        bool | None,
        typer.Option("--invert/--no-invert", help="Whether the picture is dark ink on a light ground, to be inverted."),
    ] = None,
) -> None:
    """Say whether a picture is an anomaly to an autoencoder.

    By the error of its reconstruction and by its code, against mean + k·deviation of known images, as the cell of
    explore_anomaly has them. Exit 0 either way.
    """
    arguments.check_cell(on)
    if not Path(picture).is_file():
        raise OvergenError(f"{picture}: missing; a picture is a file")
    from overgen.anomaly import judged

    found = judged(on, picture, invert=invert)
    for each in found:
        print(
            f"{each.what} {each.value:.4g}; threshold {each.threshold(k):.4g} = {each.mean:.4g} + {k:g} · "
            f"{each.deviation:.4g} of {each.n:,} known images: {'strange' if each.strange(k) else 'passes'}"
        )
    if len(found) == 1:
        print(f"the code of {on} is not judged: it is too large for the cell to hold what known ones are like")
    strange = any(each.strange(k) for each in found)
    print(f"{picture}: {'an anomaly' if strange else 'no anomaly'} to {on}")
