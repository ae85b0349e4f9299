"""How models, metrics and numbers are written in reports."""

from __future__ import annotations

import math
from collections.abc import Iterable

from overgen.measures.verdicts import VERDICTS
from overgen.models.params import base_of

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
    "deep_svdd": "Deep SVDD",
    "openmax": "OpenMax",
    "fc123_456_10": "FC123-456-10",
    "pixels": "no network",
    "mlp": "perceptron",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
    "efficientnet_lite2": "EfficientNet-Lite2",
}
CHANGE_NAMES = {  # of variants, <model>_<change>
    "sigmoid_units": "sigmoid units",
    "l2_10": "λ_L2 = 10",
    "noise": "trained on noise",
    "gate_off": "gate off",
    "other_half": "other half",
}
DATASET_NAMES = {"digits": "Digits", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "rings": "Rings",
                 "curve": "Curve", "imagenet_demo": "ImageNet"}  # fmt: skip
PAPER_TABLE = {"mnist": "Table 1", "fashion_mnist": "Table 2"}
MAIN_SOURCE = "spigler2019"  # of Tables 1 and 2
MARKS = {
    "reproduced": "✓",
    "differs (higher)": "▲",
    "differs (lower)": "▼",
    "agrees at reduced budget": "(✓)",
    "differs at reduced budget (higher)": "(▲)",
    "differs at reduced budget (lower)": "(▼)",
    "cannot tell": "○",
    "not testable": "?",
}
# A note on a number, and its sign: that other starts of the same attack give another number.
START_NOTE, START_MARK = "hangs on where the attack starts", "†"
EXPERIMENTS = {"witness": "transfer"}  # as cells name them, and as reports do
ENCODING_NAMES = {"direct": "direct", "cppn": "CPPN"}
ATTACK_NAMES = {"fgn": "FGN", "gradient": "gradients of ỹ", "evolution": "evolution"}
DECIMALS = {"percent": 2, "fraction": 3, "updates": 1, "generations": 1, "nats per pixel": 4, "rms pixel in [0,1]": 3,
            "percentage points": 1, "of 255": 2, "dimensions": 2, "distance": 2, "ratio": 2, "dB": 1,
            "times": 1, "temperature": 2}  # fmt: skip
# Rates over trials, whose hundredths say nothing.
ONE_DECIMAL = ("fooling_rate", "seen_as_target", "accepted_as_target", "label_changed", "answer_changed",
               "answers_", "reached", "class_in_five", "crop_answers", "likes_its_image")  # fmt: skip


def model_name(model: str) -> str:
    """A model as it is written in reports; of a variant, the name of what it changes and the change."""
    if model in MODEL_NAMES:
        return MODEL_NAMES[model]
    base = base_of(model, MODEL_NAMES)
    change = model.removeprefix(f"{base}_")
    return f"{model_name(base)} ({CHANGE_NAMES.get(change, change.replace('_', ' '))})" if base else model


def dataset_name(dataset: str) -> str:
    """A data set as it is written in reports."""
    return DATASET_NAMES.get(dataset, dataset)


def number(value: float, metric: str, unit: str) -> str:
    """A number for reading: rates over trials with one decimal, accuracies with two, fractions with three.

    A confidence just below 100 % keeps its nines, cut rather than rounded to a false 100.
    """
    if metric.startswith("median_confidence") and 99.99 <= value < 100:
        return f"{math.floor(value * 10_000) / 10_000:.4f}"
    name = metric.partition("@")[0]
    one = name.startswith(ONE_DECIMAL) or name in ("error", "recognised")
    decimals = 1 if one else DECIMALS.get(unit)
    return f"{value:,.{decimals}f}" if decimals is not None else f"{value:,.4g}"


def mark(verdict: str) -> str:
    """The sign of a verdict; "" for none."""
    return MARKS[kind(verdict)] if verdict else ""


def start_mark(note: str) -> str:
    """The sign of a number that hangs on where the attack starts; "" for any other."""
    return START_MARK if START_NOTE in note else ""


def legend(verdicts: Iterable[str], notes: Iterable[str]) -> str:
    """What the signs stand for of those verdicts and notes that are there: "✓ reproduced; † hangs on …"."""
    marks = {mark(verdict) for verdict in verdicts}
    texts = [f"{sign} {name}" for name, sign in MARKS.items() if sign in marks]
    return "; ".join([*texts, *([f"{START_MARK} {START_NOTE}"] if any(map(start_mark, notes)) else [])])


def kind(verdict: str) -> str:
    return next(kind for kind in VERDICTS if verdict == kind or verdict.startswith(kind + ":"))


METRIC_NAMES = {
    "thresholded_accuracy": "accuracy",
    "fooling_rate": "trials that fool",
    "fooling_rate_in_8_bits": "trials that still fool in 8 bits",
    "classes_fooled": "classes with a trial that fools",
    "fooling_rate_over_classes": "trials that fool, mean over classes",
    "mean_steps_to_fool": "mean steps to fool",
    "gamma_positive_rate": "γ > 0",
    "accepted_accuracy": "right and above τ",
    "negative_log_likelihood": "negative log-likelihood",
    "brier_score": "Brier score",
    "calibration_error": "expected calibration error of y",
    "calibration_error_by_chance": "calibration error that chance gives",
    "right_of_accepted": "right of those above τ",
    "fooling_rate_of_kept": "images that fooled, still above τ",
    "scaled_calibration_error": "expected calibration error of ỹ",
    "noise_accepted": "accepted",
    "median_confidence": "median confidence",
    "generations_to_0.9999": "generations to 99.99 %",
    "test_accuracy": "test accuracy",
    "test_error": "test error",
    "mean_reconstruction_distance": "mean ‖r(x) − x‖₂",
    "mean_distortion": "smallest distortion",
    "median_distortion": "smallest distortion, median",
    "error": "error on images made for another network",
    "label_changed": "label changed by noise",
    "mean_bce": "mean binary cross-entropy",
    "std_bce": "deviation of the binary cross-entropy",
    "f_measure": "F-measure",
    "f_measure_deviation": "deviation of the F-measure over subsets",
    "tpr": "share of the class that is accepted",
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
