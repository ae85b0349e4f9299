"""The trained networks in the report."""

from __future__ import annotations

from overgen.report.glance import Glance
from overgen.report.names import model_name
from overgen.report.study import Metrics, Row, Study
from overgen.report.tables import Table, by_metric
from overgen.stages.train_classifier import figures

CHOICES = [
    ("Batch size", "{training.DATASET.batch_size}"),
    ("Adam's ε, which TensorFlow places differently", "PyTorch's Adam, learning rate {training.DATASET.learning_rate}"),
    ("Normalisation of λ_L2", "λ/N·‖W‖² with λ = {training.DATASET.l2} and N training images; biases left out"),
    (
        "Initial weights",
        "{models.cnn.initial} (CNN), {models.cool.initial} (COOL), {models.dae_sym.initial} (dAE sym), "
        "{models.dae_asym.initial} (dAE asym); COOL's last layer normal with deviation {models.cool.output_std}",
    ),
    ("y of COOL", "its class score, a product over the {models.cool.omega} units of a class; ỹ = y, as for the CNN"),
    (
        "LeNet's training",
        "Adam, as for the other networks; Caffe's own recipe is stochastic gradient descent, for about 11 epochs",
    ),
    ("Precision", "trained in {engine.DATASET.precision}; weights rounded to float16; measured in float32"),
]


def training(study: Study) -> Table:
    """What training reached on the test images: accuracy, reconstruction, the plain autoencoder's error."""
    return by_metric("training", study.rows(experiment=("train", "ae_anomaly")))


def accuracy(study: Study, model: str) -> Row | None:
    return study.find(experiment="train", metric="test_accuracy", model=model)


def context(study: Study) -> dict[str, str]:
    """Which networks have a test curve in their cell, and which have none."""
    cells = study.cells("train_classifier", "train_autoencoder")
    tables = {model_name(model): cell.table("curves") for model, cell in cells.items()}
    tables = {name: table for name, table in tables.items() if figures.learns(table, "accuracy")}
    named = {has: [name for name in tables if bool(figures.tested(tables[name])) == has] for has in (True, False)}
    return {"tested": ", ".join(named[True]), "untested": ", ".join(named[False])}


GLANCE = (Glance("accuracy %", accuracy),)
METRICS: Metrics = {"test_accuracy": ("train", "test_accuracy", {})}
TABLES = (training,)
FIGURES = (figures.training_curves,)
