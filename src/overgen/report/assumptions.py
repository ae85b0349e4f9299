"""What the papers leave open, and what was used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from overgen.report.names import model_name
from overgen.report.tables import markdown_table

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
        return setting_text(settings[key]) if key in settings else f"`{key}` of params.yaml"

    asked = ASSUMPTIONS + (PERCEPTRON_ASSUMPTIONS if dataset in settings.get("szegedy_datasets", []) else ())
    lines = [[question, re.sub(r"\{([\w.]+)\}", fill, used)] for question, used in asked]
    changed: dict[tuple[str, str, str], list[str]] = {}
    for key, value in settings.items():
        place = re.fullmatch(rf"(train_\w+)\.{dataset}\.training\.(\w+)\.(\w+)", key)
        if place and value is not None:
            changed.setdefault((place[3], setting_text(value), place[1]), []).append(model_name(place[2]))
    if changed:
        texts = [
            f"{name} {value} in `{stage}`: {', '.join(models)}" for (name, value, stage), models in changed.items()
        ]
        lines.append(["Options of training that a stage changes for some models", "; ".join(texts)])
    return markdown_table(lines, ["what the papers leave open", "used here"])


def setting_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(setting_text, value)) or "none"
    if isinstance(value, Mapping):  # a (τ, α) pair
        return "(" + ", ".join(map(setting_text, value.values())) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)
