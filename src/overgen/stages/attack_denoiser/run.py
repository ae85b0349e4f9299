"""Today's denoiser in the place of the paper's: does its confidence hold when the attack goes for it?

    python -m overgen.run attack_denoiser --dataset digits --model denoiser

The confidence is how far a noise-conditional denoiser moves an image, at the paper's level of noise or as a mean over
several, the same in ỹ beside a classifier's y, or the log likelihood by the probability-flow equation. Each is attacked
as `attack_scores` attacks the study's scores: the same starts, targets, radii and judge, with the gradient through the
whole denoiser. Beside it: the same score with no gradient through the denoiser, a black-box attack, and ỹ of the dAE
under the same attacks.

What is asked of the result, and by what test, was written down before: docs/questions.md.

Reads: data/<dataset>; models/<dataset>/denoiser/ and models/<dataset>/networks/ (the first seeds); test images of the
data set that `evaluate_scores.other_data` names. Writes the cell, in the form of `attack_scores`'.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from overgen import data
from overgen.attacks import pictures
from overgen.data.corruptions import corrupted
from overgen.data.unknowns import uniform_images
from overgen.measures.pixels import psnr
from overgen.models import denoisers
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.attack_denoiser.names import EXPERIMENT, LIKELIHOOD
from overgen.stages.attack_denoiser.score import DenoiserStudy, method_names
from overgen.stages.attack_denoiser.summary import TOLD, restored_rows, told_rows
from overgen.stages.attack_scores import summary
from overgen.stages.attack_scores.attack import Arrays, attacked, transferred, trials
from overgen.stages.attack_scores.run import examples, judged_by

RESTORED = 10  # images that are shown with their noise, and without


def main(stage: Stage) -> None:
    """Write the cell."""
    studies = studies_of(stage)
    names = list(studies)
    stage.members(names, lambda i, _: attacked_and_told(studies[names[i]], names[i]))
    found = {name: read_npz(stage.progress / f"{name}.npz") for name in names}  # on every rank
    made = {name: found[name]["image"] for name in names if name != LIKELIHOOD and "image" in found[name]}
    shown_to = list(made)
    parts = stage.members(
        [f"{name}.transfer" for name in shown_to], lambda i, _: transferred(studies[shown_to[i]], shown_to[i], made)
    )
    (restored,) = stage.members(["restored"], lambda i, _: restored_by(studies[names[0]])) or [{}]
    if stage.rank == 0:
        write(stage, studies, found, dict(zip(shown_to, parts, strict=True)) | {LIKELIHOOD: {}}, restored)


def studies_of(stage: Stage) -> dict[str, DenoiserStudy]:
    """The study of each score: one for all, and one with attacks of its own for the likelihood."""
    every, costly = DenoiserStudy(stage), DenoiserStudy(stage)
    costly.try_as(costly.own.likelihood)
    return dict.fromkeys(method_names(stage), every) | {LIKELIHOOD: costly}


def attacked_and_told(study: DenoiserStudy, name: str) -> Arrays:
    """What `attacked` gives, and the scores of known and of unknown images without an attack: `told.<kind>`, (N,)."""
    arrays = attacked(study, name)
    if "refused" in arrays:
        return arrays
    score = study.score(name)
    told = {f"{TOLD}known": score.of_part("known")[0]}
    for kind, images in unknowns(study).items():
        told[f"{TOLD}{kind}"] = score.of(study.flat(images))[0]
    return arrays | told


def unknowns(study: DenoiserStudy) -> dict[str, torch.Tensor]:
    """Images of no class by kind, (N, C, H, W) uint8: uniform noise, and test images of other data, if any."""
    count = study.own.unknown_images
    draws = generator(study.dataset.name, "attacked denoiser", "noise")
    found = {"noise": uniform_images(count, study.dataset.shape, draws)}
    return found if study.unknown is None else found | {"other_data": study.unknown[:count]}


@torch.no_grad()
def restored_by(study: DenoiserStudy) -> Arrays:
    """PSNR of the known test images under the noise of the training, restored by each network: `denoiser`, `beside`;
    and the first of these images, `seen.<what>`, (N, D)."""
    clean = data.floats(study.known)
    noisy = corrupted(clean, "gaussian", study.denoiser.sigma, study.dataset.name).to(study.device)
    clean = clean.flatten(1).to(study.device)
    first = {"clean": clean[:RESTORED], "noisy": noisy[:RESTORED].flatten(1).clamp(0, 1)}
    found = {f"seen.{name}": images.cpu().numpy() for name, images in first.items()}
    for name, network in (("denoiser", study.denoiser), ("beside", study.beside)):
        restored = torch.cat([network(block).reconstruction for block in noisy.split(study.chunk)]).clamp(0, 1)
        found[f"seen.{name}"] = restored[:RESTORED].cpu().numpy()
        found[name] = psnr((restored - clean).square().double().mean(1).cpu().numpy())
    return found


def write(
    stage: Stage,
    studies: dict[str, DenoiserStudy],
    found: dict[str, Arrays],
    judged: dict[str, Arrays],
    restored: Arrays,
) -> None:
    """Write the cell from what was found, by score."""
    tables, radii_tables, rows, images = [], [], [], []
    for study in dict.fromkeys(studies.values()):
        own = {name: found[name] for name in found if studies[name] is study}
        table = summary.trial_table(trials(study), [a.attack for a in study.settings.attempts], own, judged)
        hits = np.flatnonzero(table["fooled"])
        chosen = [own[by]["image"][trial] for by, trial in table.loc[hits, ["by", "trial"]].to_numpy()]
        images.append(np.array(chosen).reshape(len(hits), int(np.prod(study.dataset.shape))))
        table = judged_by(study, table, hits, images[-1])
        radii = {norm: getattr(study.settings, norm) for norm in summary.NORMS}
        radii_tables.append(summary.radius_table(own, radii))
        rows += summary.rows(table, radii_tables[-1], own, radii)
        tables.append(table)
    rows = [row | {"experiment": EXPERIMENT} for row in rows] + told_rows(found) + restored_rows(restored)
    table = pd.concat(tables, ignore_index=True)
    every, (_, about) = studies[next(iter(studies))], denoisers.load(stage.item["dataset"])
    results.write(
        stage.cell, budget=about["budget"] | budget(every), metrics=rows,
        tables={"trials": table, "radii": pd.concat(radii_tables, ignore_index=True)},
        examples=examples(every, table[table["fooled"]], np.concatenate(images)) | {
            f"{what}_image": pictures.rounded(part, every.dataset.shape) for what, part in seen_of(restored).items()
        },
    )  # fmt: skip


def seen_of(restored: Arrays) -> Arrays:
    """The images of `restored_by` by what they are: `clean`, `noisy`, `denoiser`, `beside`."""
    return {name.removeprefix("seen."): part for name, part in restored.items() if name.startswith("seen.")}


def budget(study: DenoiserStudy) -> dict[str, Any]:
    """What was spent on the attacks, by params.yaml path."""
    key = f"attack_denoiser.{study.dataset.name}"
    spent: dict[str, Any] = {f"{key}.likelihood.steps": study.own.likelihood.steps}
    for path, own in ((key, study.own), (f"{key}.likelihood", study.own.likelihood)):
        spent |= {f"{path}.{name}": getattr(own, name) for name in ("known_images", "restarts", "images")}
        for name in ("attempts", "ball_attempts"):
            spent[f"{path}.{name}"] = sum(attempt.updates for attempt in getattr(own, name))
    return spent
