"""The tables of a report: one function each, from rows of `reproduced.csv` to Markdown and the rows shown.

`frame` is everywhere the result of `reported.compare`, or `reproduced.csv` read back by `read_reproduced`.
Every number shown is one of its numbers, rounded for reading.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tabulate import tabulate

from overgen.artifacts import OvergenError
from overgen.params import base_of
from overgen.reported import FGN_TRIALS, Cell, Grid, budget_text, of_model
from overgen.reported import load as load_reported
from overgen.statistics import VERDICTS, claim_verdict, difference_interval, differs, reported_interval

MODEL_NAMES = {
    "cnn": "CNN",
    "cool": "COOL",
    "lenet": "LeNet",
    "dae_sym": "dAE sym",
    "dae_asym": "dAE asym",
    "autoencoder": "plain AE",
    "perceptrons": "perceptrons",
    "fc10_1e-4": "FC10(10⁻⁴)",
    "fc10_1e-2": "FC10(10⁻²)",
    "fc10_1": "FC10(1)",
    "fc100_100_10": "FC100-100-10",
    "fc200_200_10": "FC200-200-10",
    "ae400_10": "AE400-10",
    "ocsvm": "OCSVM",
    "pixels": "no network",
}
CHANGE_NAMES = {"sigmoid_units": "sigmoid units", "l2_10": "λ_L2 = 10"}  # of variants, <model>_<change>
DATASET_NAMES = {"digits": "Digits", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
PAPER_TABLE = {"mnist": "Table 1", "fashion_mnist": "Table 2"}
MAIN_SOURCE = "spigler2019"  # of Tables 1 and 2
F_MEASURE_GAP = 0.05  # between reported F-measures, or AUROCs, that are called different
MARKS = {
    "reproduced": "✓",
    "better than reported": "▲",
    "not reproduced": "✗",
    "agrees at reduced budget": "(✓)",
    "differs at reduced budget, better": "(▲)",
    "differs at reduced budget": "(✗)",
    "not testable": "?",
}
SCORE_NAMES = {
    "scaled_output": "ỹ",
    "confidence": "c̃",
    "softmax": "softmax",
    "entropy": "entropy",
    "max_logit": "largest logit",
    "energy": "energy",
    "openmax": "OpenMax, P₀",
    "openmax_max": "OpenMax, 1 − max",
    "knn": "nearest neighbours",
    "knn_normalised": "nearest neighbours, normalised",
    "k_means": "k-means",
    "mahalanobis": "Mahalanobis",
    "gaussian_density": "Gaussian for each class",
    "pca": "PCA error",
    "one_class_svm": "one-class SVMs",
    "w_svm": "W-SVM",
    "one_vs_set": "1-vs-Set",
    "autoencoder": "autoencoder error",
    "other_uniform": "an “other” class, noise",
    "other_shuffled": "an “other” class, shuffled",
}
ENCODING_NAMES = {"direct": "direct", "cppn": "CPPN"}
START_NAMES = {"noise": "noise", "mean_image": "mean image", "other_class": "another class"}
ATTACK_NAMES = {"fgn": "FGN", "gradient": "gradients of ỹ", "evolution": "evolution"}
VARIANT = re.compile(r"fgn_(updates|lr|optimizer|input|initial|clip)_.+")  # experiments; see params.FgnVariant.name
CLASSES_FOOLED, OVER_CLASSES = "classes_fooled", "fooling_rate_over_classes"  # metrics of attacks
DECIMALS = {"percent": 2, "fraction": 3, "updates": 1, "generations": 1, "nats per pixel": 4, "rms pixel in [0,1]": 3,
            "percentage points": 1}  # fmt: skip
README_MARKERS = ("<!-- results -->", "<!-- /results -->")


class Table(NamedTuple):
    """A table of a report. rows: the rows of `reproduced.csv` that it shows, written beside it as CSV."""

    name: str
    markdown: str
    rows: pd.DataFrame


def model_name(model: str) -> str:
    """A model as it is written in reports; of a variant, the name of what it changes and the change."""
    if model in MODEL_NAMES:
        return MODEL_NAMES[model]
    base = base_of(model, MODEL_NAMES)
    change = model.removeprefix(f"{base}_")
    return f"{model_name(base)} ({CHANGE_NAMES.get(change, change.replace('_', ' '))})" if base else model


def method_name(method: str) -> str:
    """A method of evaluate_scores as it is written in reports: "scaled_output_alpha20" is "ỹ, α = 20"."""
    name, _, alpha = method.partition("_alpha")
    pixels = name.endswith("_pixels")
    name = name.removesuffix("_pixels")
    text = SCORE_NAMES.get(name, name)
    return text + (f", α = {alpha}" if alpha else "") + (" on pixels" if pixels else "")


def dataset_name(dataset: str) -> str:
    """A data set as it is written in reports."""
    return DATASET_NAMES.get(dataset, dataset)


def read_reproduced(path: Path) -> pd.DataFrame:
    """A `reproduced.csv` as `reported.compare` returned it. Raises OvergenError if it is missing."""
    if not path.is_file():
        raise OvergenError(f"{path}: missing; `dvc repro report@{path.parent.name}` makes it")
    text = ("source", "where", "experiment", "dataset", "model", "metric", "tau", "value", "unit", "note")
    kinds: dict[str, Any] = dict.fromkeys((*text, "budget", "verdict", "cell", "md5"), "string")
    frame = pd.read_csv(path, dtype=kinds | {"n": "Int64"}, keep_default_na=False, na_values={
        name: [""] for name in ("reproduced", "low", "high", "n")
    })  # fmt: skip
    return frame.astype(dict.fromkeys(kinds, object))


def number(value: float, metric: str, unit: str) -> str:
    """A number for reading: rates over trials with one decimal, accuracies with two, fractions with three.

    A confidence just below 100 % keeps its nines, cut rather than rounded to a false 100.
    """
    if metric.startswith("median_confidence") and 99.99 <= value < 100:
        return f"{math.floor(value * 10_000) / 10_000:.4f}"
    one = metric.startswith(("fooling_rate", "seen_as_target", "accepted_as_target", "error@", "label_changed"))
    decimals = 1 if one else DECIMALS.get(unit)
    return f"{value:,.{decimals}f}" if decimals is not None else f"{value:,.4g}"


def mark(verdict: str) -> str:
    """The sign of a verdict; "" for none."""
    return MARKS[kind(verdict)] if verdict else ""


def kind(verdict: str) -> str:
    return next(kind for kind in VERDICTS if verdict == kind or verdict.startswith(kind + ":"))


def measured(row: Mapping[str, Any], unit: str = "", between: str = " ") -> str:
    """A measured number with the sign of its verdict and its interval: "34.5 (✓) [28.3–41.3]".

    unit: what follows the number; between: what stands before the interval. A low end alone leaves it open above:
    "[18–∞]", as for generations that some runs never reach.
    """
    sign = f" {mark(row['verdict'])}" if row["verdict"] else ""
    if pd.isna(row["reproduced"]):
        return f"–{sign}"
    text = number(row["reproduced"], row["metric"], row["unit"]) + unit + sign
    if pd.isna(row["low"]):
        return text
    low = number(row["low"], row["metric"], row["unit"])
    high = "∞" if pd.isna(row["high"]) else number(row["high"], row["metric"], row["unit"])
    if low.startswith("-"):  # of a difference
        return f"{text}{between}[{low} to {high}]".replace("-", "−")
    return f"{text}{between}[{low}–{high}]"


def reported(row: Mapping[str, Any], unit: str = "") -> str:
    """A reported number as the paper prints it; "–" for none."""
    return f"{row['value']}{unit}" if row["value"] != "" else "–"


def find(frame: pd.DataFrame, experiment: str, model: str, metric: str, tau: str = "") -> dict[str, Any] | None:
    """The row of one measured number, the main paper's where several sources report it; None if not there."""
    same = frame[
        (frame["experiment"] == experiment)
        & (frame["model"] == model)
        & (frame["metric"] == metric)
        & (frame["tau"] == tau)
    ]
    if same.empty:
        return None
    main = same[same["source"] == MAIN_SOURCE]
    return _records(main if len(main) else same)[0]


def taus(frame: pd.DataFrame, experiment: str, metric: str) -> list[str]:
    """The thresholds of a measured number, as text in rising order."""
    same = frame[(frame["experiment"] == experiment) & (frame["metric"] == metric)]
    return sorted((tau for tau in same["tau"].unique() if tau != ""), key=float)


def fooling(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Table 1 (MNIST) or 2 (Fashion-MNIST) of Spigler 2019: reported and, below it, measured.

    Columns: accuracy at each threshold, then fooling rate with the mean steps at each threshold above 0.
    """
    return _fooling(frame, "fooling", [(model_name(model), "fgn", model) for model in models])


def network_variants(frame: pd.DataFrame, attacked: Sequence[str], variants: Sequence[str]) -> Table:
    """As `fooling`, for variants of the networks (Spigler 2019, Section 4.2), each below the one that it changes."""
    lines = []
    for model in attacked:
        mine = [variant for variant in variants if base_of(variant, attacked) == model]
        lines += [(f"{model_name(model)}, as in the study", "fgn", model)] if mine else []
        for variant in mine:
            change = variant.removeprefix(f"{model}_")
            lines.append((model_name(variant), f"fgn_{change}", model))
            if ((frame["experiment"] == "fgn_on_scaled_output") & (frame["model"] == variant)).any():
                lines.append(("the same, attack on ỹ", "fgn_on_scaled_output", variant))
    return _fooling(frame, "network_variants", lines)


def _fooling(frame: pd.DataFrame, name: str, entries: Sequence[tuple[str, str, str]]) -> Table:
    """Accuracies, fooling rates and steps of some (heading, experiment, model)."""
    accuracies = taus(frame, "fgn", "thresholded_accuracy")
    rates = taus(frame, "fgn", "fooling_rate")
    header = ["", "", *(f"accuracy %, {_threshold(tau)}" for tau in accuracies)]
    header += [f"fooled %, mean steps, {_threshold(tau)}" for tau in rates]
    shown = pd.Series(False, index=frame.index)
    for _, experiment, model in entries:
        shown |= (frame["experiment"] == experiment) & (frame["model"] == model)
    has_reported = bool((frame.loc[shown, "value"] != "").any())
    lines, used = [], []
    for heading, experiment, model in entries:
        theirs, ours = ["reported"], ["measured"]
        for metric, tau in [
            *(("thresholded_accuracy", t) for t in accuracies),
            *(("fooling_rate", t) for t in rates),
        ]:
            row = find(frame, experiment, model, metric, tau)
            further = (CLASSES_FOOLED, OVER_CLASSES, "mean_steps_to_fool") if metric == "fooling_rate" else ()
            *classes, steps = [find(frame, experiment, model, name, tau) for name in further] or [None, None, None]
            used += [found for found in (row, *classes, steps) if found]
            theirs.append(_entry(row, [], steps, ours=False))
            ours.append(_entry(row, classes, steps, ours=True))
        lines += [[f"**{heading}**", *theirs], ["", *ours]] if has_reported else [[f"**{heading}**", *ours]]
    rows = pd.DataFrame(used, columns=frame.columns)
    return Table(name, _markdown(lines, header) if lines else "", rows)


def _entry(
    row: dict[str, Any] | None,
    classes: Sequence[dict[str, Any] | None],
    steps: dict[str, Any] | None,
    *,
    ours: bool,
) -> str:
    """A number and, on further lines, its interval, in which classes it is not 0, that over classes, the mean steps."""
    lines: list[str] = []
    for found, unit in ((row, ""), (steps, " steps")):
        text = "–" if found is None else measured(found, unit, "<br>") if ours else reported(found, unit)
        if not lines or text != "–":
            lines.append(text)
        if found is row and classes:
            lines += [line for line in (_some_classes(classes[0]), _over_classes(classes[1])) if line]
    return "<br>".join(lines)


def _some_classes(row: Mapping[str, Any] | None) -> str:
    """ "in 1 of 10 classes" of a row of `classes_fooled`; "" where a trial of every class fooled, or none."""
    if row is None or row["reproduced"] in (0, row["n"]):
        return ""
    return f"in {row['reproduced']:g} of {row['n']} classes"


def _over_classes(row: Mapping[str, Any] | None) -> str:
    """ "over classes [28.3–41.3]" of a row of `fooling_rate_over_classes`; "" where they do not differ."""
    if row is None or pd.isna(row["low"]):
        return ""
    return "over classes " + measured(row).partition(" ")[2]


def scaled_attack(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """The FGN attack on the scaled output ỹ instead of y (Spigler 2019, Section 4.2)."""
    return _by_metric(frame, "scaled_attack", "fgn_on_scaled_output", models)


def variants(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """The FGN on y with other options than the study's: a row a model and variant, rates and mean steps at each τ."""
    names = [name for name in dict.fromkeys(frame["experiment"]) if VARIANT.fullmatch(name)]
    at = taus(frame, "fgn", "fooling_rate")
    header = ["", "FGN", *(f"{text}, {_threshold(tau)}" for tau in at for text in ("fooled %", "mean steps"))]
    lines: list[list[str]] = []
    used = []
    for model in models:
        mine = [name for name in names if (frame.loc[frame["experiment"] == name, "model"] == model).any()]
        for experiment in ["fgn", *mine] if mine else []:
            line = ["" if lines and experiment != "fgn" else f"**{model_name(model)}**", variant_name(experiment)]
            for tau in at:
                classes = find(frame, experiment, model, CLASSES_FOOLED, tau)
                used += [classes] if classes else []
                for metric in ("fooling_rate", "mean_steps_to_fool"):
                    row = find(frame, experiment, model, metric, tau)
                    used += [row] if row else []
                    theirs = reported(row) if row else "–"
                    ours = measured(row) if row else "–"
                    if metric == "fooling_rate" and _some_classes(classes):
                        ours += f", {_some_classes(classes)}"
                    line.append(ours if theirs == "–" else f"{theirs} → {ours}")
            lines.append(line)
    return Table("variants", _markdown(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def in_8_bits(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """How many of the FGN's trials fool at each τ, and how many as a picture of 8 bits: a row a model and attack."""
    at = taus(frame, "fgn", "fooling_rate")
    header = ["", "attack on", *(f"{text}, {_threshold(tau)}" for tau in at for text in ("fooled %", "in 8 bits"))]
    lines: list[list[str]] = []
    used = []
    for model in models:
        before = len(lines)
        for experiment, score in (("fgn", "y"), ("fgn_on_scaled_output", "ỹ")):
            metrics = ("fooling_rate", "fooling_rate_in_8_bits")
            found = [find(frame, experiment, model, metric, tau) for tau in at for metric in metrics]
            used += [row for row in found if row]
            if any(found):
                name = f"**{model_name(model)}**" if len(lines) == before else ""
                lines.append([name, score, *("–" if row is None else measured(row) for row in found)])
    return Table("in_8_bits", _markdown(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def variant_name(experiment: str) -> str:
    """A variant of the FGN as it is written in reports: "fgn_lr_1e-3" is "learning rate 1e-3"."""
    if experiment == "fgn":
        return "as in the study"
    words = {"lr": "learning rate", "initial": "initial weights", "clip": "loss clipped at y ="}
    options = re.split(r"-(?=[a-z])", experiment.removeprefix("fgn_"))
    named = {
        name: f"{int(value):,}" if value.isdigit() else value for name, _, value in (o.partition("_") for o in options)
    }
    return ", ".join(f"{words.get(name, name)} {value}" for name, value in named.items())


def robustness(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What stands of the reported fooling rates when gradients of ỹ attack: a row a model and τ, strongest start."""
    header = [
        "",
        "τ",
        "reported, FGN on y",
        "measured, FGN on y",
        "gradients of ỹ",
        "from",
        "against the reported rate",
    ]
    words = {1: "fooled more often", 0: "does not differ", -1: "fooled less often"}
    lines, used = [], []
    gradients = frame[(frame["experiment"] == "gradient") & ~frame["metric"].str.contains("@alpha=")]
    gradients = gradients[gradients["metric"].str.startswith("fooling_rate@start=")]
    for model in models:
        for tau in taus(frame, "fgn", "fooling_rate"):
            row = find(frame, "fgn", model, "fooling_rate", tau)
            attacks = _records(gradients[(gradients["model"] == model) & (gradients["tau"] == tau)])
            if row is None or row["value"] == "" or not attacks:
                continue
            strongest = max(attacks, key=lambda attack: attack["reproduced"])
            value = float(row["value"])
            theirs = reported_interval("fooling_rate", value, n=FGN_TRIALS)
            sign = differs(strongest["reproduced"], (strongest["low"], strongest["high"]), value, theirs)
            start = strongest["metric"].partition("=")[2]
            lines.append([
                f"**{model_name(model)}**", tau, reported(row), measured(row), measured(strongest),
                START_NAMES.get(start, start), words[sign],
            ])  # fmt: skip
            used += [row, strongest]
    rows = pd.DataFrame(used, columns=frame.columns)
    return Table("robustness", _markdown(lines, header) if lines else "", rows)


def gradient(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Gradient attacks on ỹ: one row a model and start; at each τ, with the paper's α, the rate and what fooled."""
    rows = frame[(frame["experiment"] == "gradient") & ~frame["metric"].str.contains("@alpha=")]
    starts = list(
        dict.fromkeys(rows.loc[rows["metric"].str.startswith("fooling_rate@"), "metric"].str.split("=").str[1])
    )
    at = sorted(set(rows["tau"]), key=float)
    header = ["", "start"]
    for tau in at:
        header += [f"fooled %, {_threshold(tau)}", "in 8 bits", "updates", "of these nearest to the class, %",
                   "distance to it"]  # fmt: skip
    lines, used = [], []
    for model in models:
        for start in starts:
            line = [f"**{model_name(model)}**" if start == starts[0] else "", START_NAMES.get(start, start)]
            for tau in at:
                over = find(rows, "gradient", model, f"{OVER_CLASSES}@start={start}", tau)
                used += [over] if over else []
                for name in ("fooling_rate", "fooling_rate_in_8_bits", "mean_steps_to_fool", "nearest_is_target_rate",
                             "mean_distance_to_target_class"):  # fmt: skip
                    row = find(rows, "gradient", model, f"{name}@start={start}", tau)
                    used += [row] if row else []
                    if row and name == "fooling_rate" and _over_classes(over):
                        line.append(f"{measured(row, between='<br>')}<br>{_over_classes(over)}")
                    elif row is None or pd.isna(row["reproduced"]):
                        line.append("–")
                    elif name in ("mean_steps_to_fool", "fooling_rate_in_8_bits"):
                        line.append(number(row["reproduced"], name, row["unit"]))
                    elif name == "mean_distance_to_target_class":
                        line.append(f"{row['reproduced']:.2f}")
                    else:
                        line.append(measured(row, between="<br>"))
            lines.append(line)
    return Table("gradient", _markdown(lines, header) if used else "", pd.DataFrame(used, columns=frame.columns))


def witnesses(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What networks that were not attacked see in images that fooled: a row an attacked model, attack and τ."""
    rows = frame[frame["experiment"] == "witness"]
    attacks = list(dict.fromkeys(re.findall(r"@attack=(\w+)", " ".join(rows["metric"]))))
    header = ["fooled", "by", "τ", "images", *(f"{model_name(model)} sees the target, %" for model in models)]
    lines, used = [], []
    for attacked in models:
        for attack in attacks:
            suffix = f"@attack={attack}@attacked={attacked}"
            for tau in sorted(set(rows.loc[rows["metric"].str.endswith(suffix), "tau"]), key=float):
                found = {m: find(rows, "witness", m, f"seen_as_target_rate{suffix}", tau) for m in models}
                n = max((row["n"] for row in found.values() if row), default=0)
                if not n:
                    continue
                line = [f"**{model_name(attacked)}**", ATTACK_NAMES.get(attack, attack), tau, f"{n:,}"]
                for model, row in found.items():
                    accepted = find(rows, "witness", model, f"accepted_as_target_rate{suffix}", tau)
                    used += [each for each in (row, accepted) if each]
                    if row is None or accepted is None:
                        line.append("–")
                    else:
                        accepts = number(accepted["reproduced"], accepted["metric"], accepted["unit"])
                        line.append(f"{measured(row, between='<br>')}<br>accepts {accepts}")
                lines.append(line)
    return Table("witnesses", _markdown(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def other_alphas(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Accuracy and fooling at (τ, α) pairs that are not the paper's."""
    return _by_metric(frame[frame["metric"].str.contains("@alpha=")], "other_alphas", "fgn", models)


def evolution(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Confidence that evolution reaches (Nguyen et al. 2015): one row a model, encoding and measured number.

    For LeNet, whose error on the test images the paper gives, that comes first.
    """
    experiments = {"test_error": "–"} | {f"evolution_{encoding}": name for encoding, name in ENCODING_NAMES.items()}
    place = {name: i for i, name in enumerate(experiments)}
    rows = frame[frame["experiment"].isin(experiments) & frame["model"].isin(models)]
    has_reported = bool((rows["value"] != "").any())
    lines = []
    for model in models:
        before = ""
        mine = rows[rows["model"] == model]
        for row in _records(mine.sort_values("experiment", key=lambda names: names.map(place), kind="stable")):
            encoding = experiments[row["experiment"]]
            line = ["" if before else f"**{model_name(model)}**", encoding if encoding != before else ""]
            name = metric_name(row["metric"]) + (f", {_threshold(row['tau'])}" if row["tau"] else "")
            line += [name, row["unit"], *([reported(row)] if has_reported else [])]
            lines.append([*line, measured(row), _count(row["n"])])
            before = encoding
    header = ["", "encoding", "number", "unit", *(["reported"] if has_reported else []), "measured", "n"]
    return Table("evolution", _markdown(lines, header) if lines else "", rows)


def retraining(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What becomes of evolution when fooling images are a class of their own: one row a model, encoding and round."""
    rows = frame[frame["experiment"].str.startswith("retraining_") & frame["model"].isin(models)]
    names = ("fooling_images", "recognised_rate", "test_error", "median_confidence")
    lines = []
    groups: Any = rows.groupby(["model", "experiment"], sort=False)
    for (model, experiment), mine in groups:
        for k in sorted({int(metric.partition("=")[2]) for metric in mine["metric"]}):
            found = [find(mine, experiment, model, f"{name}@round={k}") for name in names]
            first = [f"**{model_name(model)}**", ENCODING_NAMES[experiment.partition("_")[2]]]
            shown = ["–" if row is None else measured(row) for row in found]
            lines.append([*(first if k == 0 else ["", ""]), str(k), *shown])
    header = ["", "encoding", "round", "fooling images in training", "of these recognised, %", "test error, %",
              "median confidence of new ones, %"]  # fmt: skip
    return Table("retraining", _markdown(lines, header) if lines else "", rows)


def curvature(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """How often γ > 0, that is, how often Γ of Eq. 4 takes part at all."""
    return _by_metric(frame, "curvature", "curvature", models)


def confidence(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """How well the scores are calibrated on test images, and how much noise is accepted."""
    return _by_metric(frame, "confidence", "confidence", models)


def training(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What training reached on the test images: accuracy, reconstruction, the plain autoencoder's error."""
    return _by_metric(frame, "training", ("train", "ae_anomaly"), models)


def smallest(frame: pd.DataFrame) -> Table:
    """Table 1 of Szegedy et al. 2013, and what noise does: a row a network."""
    rows = frame[frame["experiment"].isin(["lbfgs", "lbfgs_noise"])]
    noise = sorted({metric for metric in rows["metric"] if metric.startswith("label_changed")}, key=len)
    columns = [("lbfgs", "test_error", "test error %"), ("lbfgs", "train_error", "training error %"),
               ("lbfgs", "mean_distortion", "smallest distortion"), ("lbfgs", "least_distortion", "least there is"),
               ("lbfgs", "fooling_rate", "succeeded %"),
               *(("lbfgs_noise", metric, noise_name(metric)) for metric in noise)]  # fmt: skip
    lines, used = [], []
    for model in dict.fromkeys(rows["model"]):
        line = [f"**{model_name(model)}**"]
        for experiment, metric, _ in columns:
            row = find(rows, experiment, model, metric)
            used += [row] if row else []
            ours = "–" if row is None else measured(row, between="<br>")
            line.append(f"{reported(row)} → {ours}" if row and row["value"] != "" else ours)
        lines.append(line)
    header = ["", *(name for *_, name in columns)]
    return Table("smallest", _markdown(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def noise_name(metric: str) -> str:
    """What noise of some norm did, as the head of a column."""
    rms = metric.partition("=")[2]
    return f"label changed by noise of rms {rms}, %" if rms else "label changed by noise as large, %"


def transfer(frame: pd.DataFrame) -> Table:
    """Errors of each network on the examples made for each: a row a network that they were made for and distortion."""
    rows = frame[(frame["experiment"] == "lbfgs_transfer") & ~frame["metric"].str.endswith("@rms=0")]
    judges = list(dict.fromkeys(rows["model"]))
    lines = []
    for metric in sorted(dict.fromkeys(rows["metric"]), key=lambda m: "@rms=" in m):
        found = {judge: find(rows, "lbfgs_transfer", judge, metric) for judge in judges}
        made_for, _, rms = metric.removeprefix("error@made_for=").partition("@rms=")
        cells = ["–" if row is None else number(row["reproduced"], metric, row["unit"]) for row in found.values()]
        lines.append(
            [model_name(made_for), rms or "smallest", *cells, _count(max(r["n"] for r in found.values() if r))]
        )
    header = ["made for", "distortion", *(f"{model_name(judge)}, error %" for judge in judges), "n"]
    return Table("transfer", _markdown(lines, header) if lines else "", rows)


def stability(frame: pd.DataFrame) -> Table:
    """(1 − ε)ⁿ fitted to how many labels outlive noise on n pixels, and what it leaves unexplained."""
    rows = frame[frame["experiment"] == "stability"]
    lines = []
    for model in dict.fromkeys(rows["model"]):
        found = [find(rows, "stability", model, metric) for metric in ("epsilon", "unexplained", "largest_gap")]
        numbers = [row for row in found if row]
        if len(numbers) == len(found):
            cells, gap = [measured(row) for row in numbers[:2]], numbers[2]
            lines.append([f"**{model_name(model)}**", *cells, f"{measured(gap)} {gap['note']}", _count(gap["n"])])
    header = ["", "ε", "variance unexplained, %", "largest gap, counted − fitted, percentage points", "images"]
    return Table("stability", _markdown(lines, header) if lines else "", rows)


METRIC_NAMES = {
    "thresholded_accuracy": "accuracy",
    "fooling_rate": "trials that fool",
    "fooling_rate_in_8_bits": "trials that still fool in 8 bits",
    "classes_fooled": "classes with a trial that fools",
    "fooling_rate_over_classes": "trials that fool, mean over classes",
    "mean_steps_to_fool": "mean steps to fool",
    "gamma_positive_rate": "γ > 0",
    "calibration_error": "expected calibration error of y",
    "scaled_calibration_error": "expected calibration error of ỹ",
    "noise_accepted": "accepted",
    "median_confidence": "median confidence",
    "generations_to_0.9999": "generations to 99.99 %",
    "test_accuracy": "test accuracy",
    "test_error": "test error",
    "mean_reconstruction_distance": "mean ‖r(x) − x‖₂",
    "mean_bce": "mean binary cross-entropy",
    "std_bce": "deviation of the binary cross-entropy",
    "f_measure": "F-measure",
    "auroc": "AUROC",
    "aupr": "AUPR",
    "fpr_at_95_tpr": "FPR at 95 % TPR, %",
    "oscr": "OSCR",
    "balanced_accuracy": "balanced accuracy",
    "known_accuracy": "accuracy on known classes",
    "elsewhere_rate": "largest output is another class's",
}


def metric_name(metric: str) -> str:
    """A metric as it is written in reports: "fooling_rate@alpha=2" is "trials that fool, α = 2"."""
    name, *suffixes = metric.split("@")
    parts = [METRIC_NAMES.get(name, name.replace("_", " "))]
    for suffix in suffixes:
        key, _, value = suffix.partition("=")
        parts.append(f"{'α' if key == 'alpha' else key} = {value}" if value else f"on {key} images")
    return ", ".join(parts)


def _by_metric(frame: pd.DataFrame, name: str, experiment: str | tuple[str, ...], models: Sequence[str]) -> Table:
    """One row a model and measured number of some experiments."""
    experiments = (experiment,) if isinstance(experiment, str) else experiment
    rows = frame[frame["experiment"].isin(experiments) & frame["model"].isin(models)]
    has_tau = bool((rows["tau"] != "").any())
    has_reported = bool((rows["value"] != "").any())
    header = ["", "number", *(["τ"] if has_tau else []), "unit", *(["reported"] if has_reported else [])]
    lines, before = [], ""
    for model in models:
        for row in _records(rows[rows["model"] == model]):
            line = [f"**{model_name(model)}**" if model != before else "", metric_name(row["metric"])]
            line += [row["tau"] or "–"] if has_tau else []
            line += [row["unit"], *([reported(row)] if has_reported else []), measured(row), _count(row["n"])]
            lines.append(line)
            before = model
    return Table(name, _markdown(lines, [*header, "measured", "n"]) if lines else "", rows)


def open_set(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """F-measure for each number of known classes: the numbers behind Figure 4."""
    rows = frame[(frame["experiment"] == "open_set") & frame["metric"].str.fullmatch(r"f_measure@known=\d+")]
    known = sorted({int(metric.split("=")[1]) for metric in rows["metric"]}, reverse=True)
    thresholds = sorted(rows["tau"].unique(), key=float)
    has_reported = bool((rows["value"] != "").any())
    header = ["τ", "known", *(name for m in models for name in _pair(model_name(m), has_reported))]
    lines = []
    for tau in thresholds:
        for k in known:
            line = [tau, str(k)]
            for model in models:
                row = find(frame, "open_set", model, f"f_measure@known={k}", tau)
                shown = ["–", "–"] if row is None else [reported(row), measured(row)]
                line += shown if has_reported else shown[1:]
            lines.append(line)
    return Table("open_set", _markdown(lines, header) if lines else "", rows)


def open_set_apart(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What open-set recognition comes to without a threshold, and balanced accuracy, at the largest τ's α."""
    names = ("auroc", "aupr", "fpr_at_95_tpr", "oscr", "balanced_accuracy")
    rows = frame[(frame["experiment"] == "open_set") & ~frame["metric"].str.contains("@alpha=")]
    rows = rows[rows["metric"].str.startswith(names)]
    if rows.empty:
        return Table("open_set_apart", "", rows)
    tau = max(rows["tau"], key=float)
    known = sorted({int(metric.partition("=")[2]) for metric in rows["metric"]}, reverse=True)
    lines, used = [], []
    for model in models:
        for k in known:
            found = [find(rows, "open_set", model, f"{name}@known={k}", tau) for name in names]
            used += [row for row in found if row]
            first = f"**{model_name(model)}**" if k == known[0] else ""
            lines.append([first, str(k), *("–" if row is None else measured(row) for row in found)])
    header = ["", "known", *(METRIC_NAMES[name] for name in names)]
    header[-1] += f", {_threshold(tau)}"
    return Table("open_set_apart", _markdown(lines, header), pd.DataFrame(used, columns=frame.columns))


def open_set_longer(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What the same networks come to when they are trained for more epochs, and the difference, at the paper's α."""
    rows = frame[(frame["experiment"] == "open_set_longer") & ~frame["metric"].str.contains("@alpha=")]
    if rows.empty:
        return Table("open_set_longer", "", rows)
    known = rows["metric"].iloc[0].partition("=")[2]
    has_reported = bool((frame.loc[frame["experiment"] == "open_set", "value"] != "").any())
    names = ("f_measure", "auroc")
    lines = []
    for model in models:
        for tau in sorted(rows["tau"].unique(), key=float):
            first = find(frame, "open_set", model, f"f_measure@known={known}", tau)
            line = [f"**{model_name(model)}**", tau]
            line += [reported(first) if first else "–"] if has_reported else []
            for name in names:
                found = [find(frame, "open_set", model, f"{name}@known={known}", tau)]
                found += [
                    find(rows, "open_set_longer", model, f"{name}_{what}@known={known}", tau)
                    for what in ("longer", "gain")
                ]
                line += ["–" if row is None else measured(row) for row in found]
            lines.append(line)
    header = ["", "τ", *(["F reported"] if has_reported else [])]
    header += [f"{name}{part}" for name in ("F", "AUROC") for part in ("", ", longer", ": difference")]
    return Table("open_set_longer", _markdown(lines, header), rows)


def one_class(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Figure 5 in numbers: one class against all others, a row a model and score, means over the classes.

    The first score of a model, whose metrics have no suffix, is the one compared with the paper. models: also "pixels",
    the scores of pixels, of which none is.
    """
    rows = frame[frame["experiment"] == "one_class"]
    names = ("auroc", "aupr", "fpr_at_95_tpr")
    has_reported = bool((rows["value"] != "").any())
    lines, used = [], []
    for model in models:
        mine = rows[rows["model"] == model]
        suffixes = [m.removeprefix("auroc") for m in mine["metric"] if m.split("@")[0] == "auroc"]
        for suffix in suffixes:
            found = [find(mine, "one_class", model, name + suffix) for name in names]
            used += [row for row in found if row]
            line = ["" if suffix != suffixes[0] else f"**{model_name(model)}**", score_name(mine, suffix)]
            line += [reported(found[0]) if found[0] else "–"] if has_reported else []
            lines.append([*line, *(measured(row) if row else "–" for row in found)])
    header = ["", "score", *(["AUROC reported"] if has_reported else []), *(METRIC_NAMES[name] for name in names)]
    return Table("one_class", _markdown(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))


def score_name(rows: pd.DataFrame, suffix: str) -> str:
    """What was swept, from the suffix of its metric: "@score=scaled@alpha=3" is "ỹ, α = 3".

    rows: of one model in the experiment one_class; they tell what its score without a suffix is.
    """
    parts = dict(part.split("=") for part in suffix.split("@")[1:])
    if "score" not in parts:
        there = set(rows["metric"].str.split("@").str[0])
        reconstructs = "gamma_positive_rate" in there
        return "c̃" if reconstructs else "y" if "elsewhere_rate" in there else "decision function"
    name = {"scaled": "ỹ", "distance": "−‖r(x) − x‖₂"}.get(parts["score"]) or method_name(parts["score"])
    return name + (f", α = {parts['alpha']}" if "alpha" in parts else "")


def one_class_checks(frame: pd.DataFrame) -> str:
    """Two shares of test images on which the choice of a score rests, a line a model; "" for none."""
    rows = frame[(frame["experiment"] == "one_class") & frame["metric"].isin(["elsewhere_rate", "gamma_positive_rate"])]
    lines = [[f"**{model_name(row['model'])}**", metric_name(row["metric"]), measured(row)] for row in _records(rows)]
    return _markdown(lines, ["", "test images on which", "%"]) if lines else ""


def _pair(name: str, has_reported: bool) -> list[str]:
    return [f"{name} reported", f"{name} measured"] if has_reported else [name]


def claims(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Orderings of models that the paper's numbers show, and whether the measured ones show them too.

    Of all pairs in Table 1 or 2 whose reported fooling rates differ beyond their Wilson intervals, and whose reported
    F-measures at one known class and AUROCs, which come without any spread, differ by more than `F_MEASURE_GAP`. An
    ordering can hold where the numbers do not: "direction only".
    """
    lines, used = [], []
    compared = [("fgn", "fooling_rate", "is fooled less often than")]
    compared += [("open_set", "f_measure@known=1", "has a lower F-measure at one known class than")]
    compared += [("one_class", "auroc", "tells one class from the others less well than")]
    every = [*models, *(m for m in dict.fromkeys(frame["model"]) if m not in models)]  # an SVM is not attacked
    for experiment, metric, phrase in compared:
        for tau in taus(frame, experiment, metric) or [""]:
            found = {model: find(frame, experiment, model, metric, tau) for model in every}
            rows = {m: r for m, r in found.items() if r and r["source"] == MAIN_SOURCE and not pd.isna(r["low"])}
            for low, first in rows.items():
                for high, second in rows.items():
                    if not _reported_below(first, second):
                        continue
                    sign = differs(
                        first["reproduced"], (first["low"], first["high"]),
                        second["reproduced"], (second["low"], second["high"]),
                    )  # fmt: skip
                    low_end, high_end = difference_interval(
                        first["reproduced"], (first["low"], first["high"]),
                        second["reproduced"], (second["low"], second["high"]),
                    )  # fmt: skip
                    refuted = not low_end <= float(first["value"]) - float(second["value"]) <= high_end
                    verdicts = [first["verdict"], second["verdict"]]
                    reduced = any("reduced budget" in verdict for verdict in verdicts)
                    unit = " %" if first["unit"] == "percent" else ""
                    ours = (number(r["reproduced"], r["metric"], r["unit"]) + unit for r in (first, second))
                    lines.append([
                        f"{model_name(low)} {phrase} {model_name(high)}" + (f", τ = {tau}" if tau else ""),
                        f"{first['value']}{unit} < {second['value']}{unit}",
                        ", ".join(ours),
                        claim_verdict(sign, verdicts, at_paper_budget=not reduced, refuted=refuted),
                    ])  # fmt: skip
                    used += [first, second]
    header = ["ordering", "reported", "measured", "verdict"]
    rows_used = pd.DataFrame(used, columns=frame.columns).drop_duplicates()
    return Table("orderings", _markdown(lines, header) if lines else "", rows_used)


def _reported_below(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether a reported number is below another beyond the intervals that can be had of them."""
    a, b = float(first["value"]), float(second["value"])
    if first["metric"] != "fooling_rate":
        return a + F_MEASURE_GAP < b
    intervals = [reported_interval("fooling_rate", value, n=FGN_TRIALS) for value in (a, b)]
    return differs(a, intervals[0], b, intervals[1]) < 0


def verdict_counts(frame: pd.DataFrame) -> Table:
    """How many reported numbers have which verdict."""
    rows = frame[frame["verdict"] != ""]
    kinds = [kind(verdict) for verdict in rows["verdict"]]
    lines = [[MARKS[kind], kind, str(kinds.count(kind))] for kind in VERDICTS if kind in kinds]
    return Table("verdicts", _markdown(lines, ["", "verdict", "numbers"]) if lines else "", rows)


def not_testable(frame: pd.DataFrame) -> str:
    """The reported numbers that were measured but cannot be compared, with the reason; "" for none."""
    rows = frame[frame["verdict"].str.startswith("not testable")]
    lines = [
        [model_name(r["model"]), metric_name(r["metric"]), r["tau"] or "–", f"{r['value']} ({r['source']})",
         r["verdict"].partition(": ")[2]]
        for r in _records(rows)
    ]  # fmt: skip
    return _markdown(lines, ["", "number", "τ", "reported", "why not testable"]) if lines else ""


def not_measured(rows: pd.DataFrame) -> Table:
    """The papers' numbers on this data set that nothing here measures yet, counted by experiment."""
    lines: list[list[str]] = [
        [", ".join(group["source"].unique()), ", ".join(group["where"].unique()), str(experiment),
         ", ".join(model_name(m) for m in group["model"].unique()), str(len(group))]
        for experiment, group in rows.groupby("experiment", sort=False)
    ]  # fmt: skip
    header = ["source", "where", "experiment", "models", "numbers"]
    return Table("not_measured", _markdown(lines, header) if lines else "", rows)


def budgets(grid: Grid, paper: Mapping[str, int]) -> str:
    """What was spent, a line a stage; models that spent the same stand together.

    Below them what of the stage had a budget of its own.
    """
    lines = []
    for stage, cells in grid.items():
        texts: dict[tuple[str, str], list[str]] = {}
        own: dict[tuple[str, str], list[str]] = {}
        for model, cell in cells.items():
            limits = of_model(paper, model)
            if cell.budget:  # else nothing was spent: images were only collected
                texts.setdefault((f"`{stage}`", budget_text(cell.budget, limits)), []).append(model_name(model))
            apart = {row["experiment"]: row["budget"] for row in cell.summary["metrics"] if "budget" in row}
            for experiment, spent in apart.items():
                name = {"fgn_on_scaled_output": "on ỹ", "open_set_longer": "trained longer"}.get(experiment)
                name = name or variant_name(experiment)
                own.setdefault((f"`{stage}`, {name}", budget_text(spent, limits)), []).append(model_name(model))
        lines += [[name, ", ".join(models), text] for (name, text), models in (texts | own).items()]
    return _markdown(lines, ["stage", "models", "budget"])


def provenance(grid: Grid, searches: Sequence[Cell] = ()) -> Table:
    """Each cell with the command that remakes it and the MD5 that DVC records for it."""
    cells = [*(cell for models in grid.values() for cell in models.values()), *searches]
    rows = pd.DataFrame({
        "cell": [cell.path for cell in cells],
        "command": [cell.command for cell in cells],
        "md5": [cell.md5 for cell in cells],
    })  # fmt: skip
    lines = [[f"`{value}`" for value in row] for row in rows.itertuples(index=False)]
    return Table("provenance", _markdown(lines, list(rows.columns)), rows)


# What the papers leave open: the question, and what was used, filled in from params.yaml (protocol, marks [?]
# and [D]).
ASSUMPTIONS = (
    ("Batch size", "{training.DATASET.batch_size}"),
    (
        "Adam's ε, which TensorFlow places differently",
        "PyTorch's Adam, learning rate {training.DATASET.learning_rate}",
    ),
    (
        "Normalisation of λ_L2",
        "λ/N·‖W‖² with λ = {training.DATASET.l2} and N training images; biases left out",
    ),
    (
        "Initial weights",
        "{models.cnn.initial} (CNN), {models.cool.initial} (COOL), {models.dae_sym.initial} (dAE sym), "
        "{models.dae_asym.initial} (dAE asym); COOL's last layer normal with deviation {models.cool.output_std}",
    ),
    (
        "y of COOL",
        "its class score, a product over the {models.cool.omega} units of a class; ỹ = y, as for the CNN",
    ),
    ("Unpooling of the decoder", "{models.dae_sym.unpooling} (dAE sym), {models.dae_asym.unpooling} (dAE asym)"),
    ("Output activation of the decoder", "{models.dae_sym.output} (dAE sym), {models.dae_asym.output} (dAE asym)"),
    (
        "Reconstruction loss beside the cross-entropy",
        "a mean over pixels: {models.dae_sym.reconstruction_loss}, weight {models.dae_sym.reconstruction_weight} "
        "(dAE sym); {models.dae_asym.reconstruction_loss}, weight {models.dae_asym.reconstruction_weight} (dAE asym)",
    ),
    (
        "What the classifier of a dAE sees in training",
        "the {models.dae_sym.classifier_input} image (dAE sym), the {models.dae_asym.classifier_input} one (dAE asym)",
    ),
    ("Where r(x) is evaluated", "on the clean image"),
    (
        "Trace in Eq. 5",
        "exact, except where an estimate from {engine.DATASET.probes} random probes lies more than 6 of its "
        "standard errors below 0, so that Γ = 1 either way",
    ),
    (
        "Optimiser, input and initial weights of the FGN",
        "{fool_fgn.DATASET.optimizer}, learning rate {fool_fgn.DATASET.learning_rate}; "
        "{fool_fgn.DATASET.input} random input, fixed in a trial; initial weights {fool_fgn.DATASET.initial}",
    ),
    (
        "α and β of the scaled output",
        "β = {confidence.DATASET.beta}; (τ, α) = {confidence.DATASET.thresholds}",
    ),
    (
        "α where ỹ itself is attacked",
        "{fool_fgn.DATASET.scaled.dae_sym} (FGN, dAE sym), {fool_evolution.DATASET.alpha} (evolution)",
    ),
    ("Mean steps to fool", "over the trials that fooled"),
    (
        "F-measure",
        "mean of 2PR/(P+R) over the known classes and one unknown class, left out when all are known",
    ),
    (
        "LeNet's training",
        "Adam, as for the other networks; Caffe's own recipe is stochastic gradient descent, for about 11 epochs",
    ),
    (
        "What a CPPN receives, and how it changes",
        "its inputs themselves, without a function; connections {fool_evolution.DATASET.connections} and nodes "
        "{fool_evolution.DATASET.nodes} (with what probability one is added, and one removed)",
    ),
    (
        "One class: the score that is swept, and λ_L2",
        "c̃ of a dAE, y of COOL, the decision function of the SVM; trained as above, but for what is changed by "
        "{train_oneclass.DATASET.training}",
    ),
    (
        "Mutation rate of evolution",
        "{fool_evolution.DATASET.mutation_rate} throughout, as in the official code, which has no halving",
    ),
    (
        "Precision",
        "trained in {engine.DATASET.precision}; weights rounded to float16; measured in float32",
    ),
)


# The same of Table 1 of Szegedy et al. 2013, for the data sets that have its cells.
PERCEPTRON_ASSUMPTIONS = (
    (
        "Training of the perceptrons",
        "Adam in float32, learning rate {train_perceptrons.DATASET.learning_rate}, falling to 0 on a line, "
        "{train_perceptrons.DATASET.epochs} epochs, batches of "
        "{train_perceptrons.DATASET.batch_size}, all training images; biases without decay",
    ),
    (
        "The autoencoder under AE400-10",
        "sigmoid pixels, binary cross-entropy; sparse: {train_perceptrons.DATASET.autoencoder.sparsity}·Σ "
        "KL({train_perceptrons.DATASET.autoencoder.activation} ‖ mean activation) beside the error summed over pixels; "
        "{train_perceptrons.DATASET.autoencoder.epochs} epochs, learning rate "
        "{train_perceptrons.DATASET.autoencoder.learning_rate}; then fixed. Softmax: learning rate "
        "{train_perceptrons.DATASET.autoencoder.softmax_learning_rate}. Chosen on 10,000 held-out images of MNIST: "
        "error 6.3 % when dense, 3.6 % with 1 and 0.1, 3.2 % with 3 and 0.05, each with the best of two or three rates",
    ),
    (
        "c·|r| and the search for c",
        "c·‖r‖₂²; of all c tried (factors of 10, then bisection) the change of least ‖r‖₂ that reached the target",
    ),
    (
        "Images and targets of the smallest distortions",
        "{fool_lbfgs.DATASET.images} test images that the network labels right; for each one other class, at random",
    ),
    ("Examples at a distortion for all, and noise", "scaled until what the clipping to [0, 1] leaves has it"),
)


def assumptions(settings: Mapping[str, Any], dataset: str) -> str:
    """What the papers leave open and what was used. settings: params.yaml values by dotted path.

    A value that `settings` does not hold is named by its key in params.yaml.
    """

    def fill(match: re.Match[str]) -> str:
        key = match[1].replace("DATASET", dataset)
        return _setting(settings[key]) if key in settings else f"`{key}` of params.yaml"

    asked = ASSUMPTIONS + (PERCEPTRON_ASSUMPTIONS if dataset in settings.get("szegedy_datasets", []) else ())
    lines = [[question, re.sub(r"\{([\w.]+)\}", fill, used)] for question, used in asked]
    changed: dict[tuple[str, str, str], list[str]] = {}
    for key, value in settings.items():
        place = re.fullmatch(rf"(train_\w+)\.{dataset}\.training\.(\w+)\.(\w+)", key)
        if place and value is not None:
            changed.setdefault((place[3], _setting(value), place[1]), []).append(model_name(place[2]))
    if changed:
        texts = [
            f"{name} {value} in `{stage}`: {', '.join(models)}" for (name, value, stage), models in changed.items()
        ]
        lines.append(["Options of training that a stage changes for some models", "; ".join(texts)])
    return _markdown(lines, ["what the papers leave open", "used here"])


def search(cell: Cell, settings: Mapping[str, Any]) -> Table:
    """What one search on held-out images found, a row for each setting.

    cell: of `search_choices`; settings: as for `assumptions`. The distance from the paper is the mean absolute
    difference, in percentage points, between accuracies here and those that the main paper reports, at its α.
    """
    found = cell.table("settings")
    columns = [str(name) for name in found]
    accuracies = [name for name in columns if name.startswith("accuracy@")]
    papers = _paper_accuracies(cell, accuracies)
    lines = [["*paper, test images*", *(f"{papers[name]:g}" if name in papers else "–" for name in accuracies)]]
    if papers:
        gaps = [(found[name] - value).abs() for name, value in papers.items()]
        found["distance_from_paper"] = sum(gaps) / len(gaps)
        columns.append("distance_from_paper")
    more = {"distance_from_paper": "distance from the paper", "noise_median_score": "noise: median score"}
    more |= {name: "noise: accepted %" for name in columns if name.startswith("noise_accepted@")}
    more |= {"median_distance": "median ‖r − x‖₂"}
    more = {name: text for name, text in more.items() if name in columns}
    lines[0] += ["–"] * len(more)
    for row in _records(found):
        line = [row["setting"], *(f"{row[name]:.2f}" for name in accuracies)]
        line += [f"{row[name]:.2g}" if name == "noise_median_score" else f"{row[name]:.2f}" for name in more]
        if papers and row["distance_from_paper"] == found["distance_from_paper"].min():
            line[0] = f"**{line[0]}**"
        lines.append(line)
    headings = [re.sub(r"accuracy@tau=([\d.]+),alpha=([\d.]+)", r"τ = \1, α = \2", name) for name in accuracies]
    table = _markdown(lines, ["setting", *(text.removesuffix(", α = 0") for text in headings), *more.values()])
    key = f"search_choices.{cell.dataset}.{cell.model}"
    base = {name.split(".")[-1]: value for name, value in settings.items()
            if name.startswith((f"{key}.model.", f"{key}.training."))}  # fmt: skip
    changed = dict.fromkeys(name for setting in settings.get(f"{key}.settings", []) for name in setting)
    places = {name: (f"models.{cell.model}.{name}", f"training.{cell.dataset}.{name}") for name in changed}
    used = {name: settings[place] for name, both in places.items() for place in both if place in settings}
    budget = f"{cell.budget[f'{key}.epochs']} epochs, {cell.budget[f'{key}.held_out']:,} images held out"
    about = f"{model_name(cell.model)}: {budget}. Base: {_options(base)}."
    text = f"{about}\n\n{table}\n\nUsed in the study: {_options(used)}."
    tried = settings.get(f"{key}.settings", [])
    if papers and tried:
        nearest = tried[int(found["distance_from_paper"].argmin())]
        if any(nearest.get(name, base.get(name)) != value for name, value in used.items()):
            text += " That is not the setting nearest to the paper."
    return Table(f"search_{cell.model}", text, found)


def _paper_accuracies(cell: Cell, names: Sequence[str]) -> dict[str, float]:
    """The main paper's accuracies, in percent, by the column of ours: at each τ the first α, which is the paper's."""
    papers = load_reported()
    rows = papers[(papers["source"] == MAIN_SOURCE) & (papers["metric"] == "thresholded_accuracy")]
    rows = rows[(rows["experiment"] == "fgn") & (rows["dataset"] == cell.dataset) & (rows["model"] == cell.model)]
    reported_at = dict(zip(rows["tau"], rows["value"], strict=True))
    found: dict[str, float] = {}
    for name in names:
        tau = float(name.partition("tau=")[2].partition(",")[0])
        if tau in reported_at:
            found[name] = reported_at.pop(tau)
    return found


def _options(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_setting(value)}" for name, value in values.items())


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_setting, value)) or "none"
    if isinstance(value, Mapping):  # a (τ, α) pair
        return "(" + ", ".join(map(_setting, value.values())) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)


def readme_table(reports: Path) -> str:
    """The README's result table, from the reports of the papers' data sets that are there.

    reports: the folder that holds <dataset>/reproduced.csv. Returns Markdown. Raises OvergenError if there is
    no such report.
    """
    columns = [
        ("fgn", "thresholded_accuracy", "0.9", "accuracy %, τ = 0.9"),
        ("fgn", "fooling_rate", "0.9", "fooled %, τ = 0.9"),
        ("fgn", "mean_steps_to_fool", "0.9", "mean steps, τ = 0.9"),
        ("fgn", "fooling_rate", "0.99", "fooled %, τ = 0.99"),
        ("fgn", "mean_steps_to_fool", "0.99", "mean steps, τ = 0.99"),
        ("gradient", "fooling_rate@start=other_class", "0.9", "fooled % by gradients of ỹ, τ = 0.9"),
    ]
    lines, verdicts, spent = [], set(), dict[str, list[str]]()
    for dataset in PAPER_TABLE:
        path = reports / dataset / "reproduced.csv"
        if not path.is_file():
            continue
        frame = read_reproduced(path)
        models = list(dict.fromkeys(frame.loc[frame["experiment"] == "fgn", "model"]))
        for model in models:
            line = [dataset_name(dataset) if model == models[0] else "", f"**{model_name(model)}**"]
            for experiment, metric, tau, _ in columns:
                row = find(frame, experiment, model, metric, tau)
                if row is None:
                    line.append("–")
                    continue
                line.append(measured(row) if experiment == "gradient" else f"{reported(row)} → {measured(row)}")
                verdicts.add(mark(row["verdict"]))
            seen = find(frame, "witness", "cnn", f"seen_as_target_rate@attack=gradient@attacked={model}", "0.9")
            lines.append([*line, "–" if seen is None else measured(seen)])
            attack = find(frame, "fgn", model, "fooling_rate", "0.9")
            if attack:
                spent.setdefault(attack["budget"], []).append(f"{dataset_name(dataset)} {model_name(model)}")
    if not lines:
        wanted = " or ".join(f"{reports}/{dataset}/reproduced.csv" for dataset in PAPER_TABLE)
        raise OvergenError(f"{wanted}: none is there; `dvc repro report@mnist` makes the first")
    legend = "; ".join(f"{sign} {kind}" for kind, sign in MARKS.items() if sign in verdicts)
    budget = "; ".join(f"{', '.join(of)}: {text}" for text, of in spent.items())
    header = ["data", "model", *(name for *_, name in columns), "what fools so is the class to the CNN, %"]
    text = f"Reported → measured [95 % interval]. {legend}.\n\n{_markdown(lines, header)}\n\nBudget: {budget}. "
    text += "Last columns: attacks that the paper does not have, from training images of other classes; and of what "
    return text + "fools so, from any start, the share that the CNN, which took no part, labels as the target too.\n"


def with_results(text: str, table: str) -> str:
    """The README's text with `table` between its two markers. Raises OvergenError unless both are there, once each."""
    start, end = README_MARKERS
    if text.count(start) != 1 or text.count(end) != 1 or text.index(end) < text.index(start):
        raise OvergenError(f"README.md: must hold one line `{start}` and after it one line `{end}`")
    return f"{text.partition(start)[0]}{start}\n{table.strip()}\n{end}{text.partition(end)[2]}"


def readme_is_current(readme: Path, reports: Path) -> bool:
    """Whether the README holds, between its two markers, what `readme_table` gives now.

    Raises OvergenError if the markers are missing.
    """
    text = readme.read_text(encoding="utf-8")
    return with_results(text, readme_table(reports)) == text


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _threshold(tau: str) -> str:
    return f"τ\u00a0=\u00a0{tau}"  # never broken over two lines


def _count(n: Any) -> str:
    return "–" if pd.isna(n) else f"{int(n):,}"


def _markdown(lines: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    safe = [[text.replace("|", "\\|") for text in line] for line in lines]
    return tabulate(safe, list(header), tablefmt="github", disable_numparse=True)
