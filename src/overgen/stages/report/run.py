"""Draw the report of a data set from its cells."""

from __future__ import annotations

from pathlib import Path

from overgen.report.build import RETRAINED, build_report
from overgen.run.stage import Stage

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write reports/<dataset>. Raises OvergenError naming a missing cell and the command that makes it."""
    dataset = stage.item["dataset"]
    build_report(
        Path("reports/cells"),
        Path("reports", dataset),
        dataset,
        classifiers=stage.params("classifiers"),
        autoencoders=stage.params("autoencoders"),
        attacked=stage.params("attacked"),
        evolved=stage.params("evolved"),
        retrained=RETRAINED if dataset in stage.params("retrained_datasets") else [],
        openset_models=stage.params("openset_models"),
        variants=stage.params("variants") if dataset in stage.params("variant_datasets") else [],
        oneclass_models=stage.params("oneclass_models") if dataset in stage.params("oneclass_datasets") else [],
        searched=stage.params("searched_models") if dataset in stage.params("searched_datasets") else [],
        scored=stage.params("openset_models") if dataset in stage.params("scored_datasets") else [],
        perceptrons=["perceptrons"] if dataset in stage.params("szegedy_datasets") else [],
        dpi=stage.params("report").dpi,
        settings=stage.params.values(),
    )
