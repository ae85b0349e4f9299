"""Open-set scores: the methods that the paper cites, with the networks' own, on every member under one protocol.

Of the known classes' training images some are held out from every fit; the threshold keeps a share of them. (The
networks were trained on them too: they are held out from the methods only.) Nothing is trained here but the methods.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from overgen import data
from overgen.data import borrow
from overgen.measures import separation
from overgen.measures.histograms import histogram
from overgen.measures.intervals import mean_interval, stratified_mean
from overgen.measures.outputs import image_outputs, scaled_scores
from overgen.models import registry
from overgen.run import results
from overgen.run.files import read_json, read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores.methods import METHODS, Options
from overgen.scores.views import held_out, negatives, shuffled, uniform_images, views
from overgen.stages.evaluate_scores.params import OF_OUTPUTS, EvaluateScores
from overgen.training.members import part

BINS = 30  # of the histograms of scores
SHOWN = 10  # images of each kind among the examples
PER_KNOWN = ("auroc", "f_measure")  # measures that get a row for each number of known classes
PERCENT = ("fpr_at_95_tpr",)
KIND_NAMES = {
    "uniform": "uniform noise", "normal": "normal noise", "shuffled": "shuffled pixels", "other_data": "other data",
    "fooling": "fooling images",
}  # fmt: skip


def main(stage: Stage) -> None:
    """Write the cell: trials.csv (a row a member and method), histograms.csv, confusion.csv, examples and means."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    options: EvaluateScores = stage.params("evaluate_scores")
    outputs = read_npz(f"models/{dataset}/{model}/openset/outputs.npz")
    training = read_json(f"reports/cells/{dataset}/train_openset/{model}/metrics.json")
    counts = outputs["known"].sum(1)
    names = [f"k{k}-{(counts[:i] == k).sum()}" for i, k in enumerate(counts)]
    collected = read_npz(f"reports/cells/{dataset}/collect_fooling/attacked/examples.npz")
    more = {"other_data": other_images(stage, options), "fooling": torch.from_numpy(collected["image"])}
    more = {kind: images for kind, images in more.items() if len(images)}

    def evaluate(i: int, run: Any) -> dict[str, np.ndarray]:
        path = Path(f"models/{dataset}/{model}/openset/{names[i]}.safetensors")
        mine = {name: a[i : i + 1] for name, a in outputs.items() if a.ndim > 1}
        return scores_of(stage, options, path, mine, more)

    found = stage.members(names, evaluate)
    if stage.rank == 0:
        write(stage, options, outputs, found, training["budget"])


def other_images(stage: Stage, options: EvaluateScores) -> Tensor:
    """Random test images of the other data set that params.yaml names for this one: (N, 28, 28) uint8, none without."""
    name = options.other_data.get(stage.item["dataset"])
    if name is None:
        return torch.zeros((0, data.SIDE, data.SIDE), dtype=torch.uint8)
    images = borrow.borrow(name, os.environ.get("OVERGEN_MIRROR") or None).test_images
    order = torch.randperm(len(images), generator=generator("other data", name))
    return images[order[: options.noise_images]]


def scores_of(
    stage: Stage, options: EvaluateScores, path: Path, outputs: dict[str, np.ndarray], more: dict[str, Tensor]
) -> dict[str, np.ndarray]:
    """`<method>.<part>` of one member: scores of the parts held_out, test and `openset.KINDS`; predicted classes.

    path: of its weights; outputs: its stored arrays, (1, ...) each; more: images of further kinds, (N, 28, 28) uint8.
    """
    dataset, engine = data.load(stage.item["dataset"]), stage.params(f"engine.{stage.item['dataset']}")
    names = options.of(stage.item["model"])
    network, metadata = registry.load(path)
    network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    draws = generator("scores", dataset.name, *metadata["known"])
    fit, held = held_out(dataset.train_labels, metadata["known"], draws, options.held_out)
    noise = uniform_images(options.noise_images, draws)
    pixels = dataset.train_images[fit].float()
    normal = torch.randn(noise.shape, generator=draws) * pixels.std() + pixels.mean()
    known = torch.isin(dataset.test_labels, torch.tensor(metadata["known"])).nonzero()[:, 0]
    some = known[torch.randint(len(known), (options.noise_images,), generator=draws)]
    images = {
        "held_out": dataset.train_images[held],
        "test": dataset.test_images,
        "uniform": noise,
        "normal": normal.round().clamp(0, 255).byte(),
        "shuffled": shuffled(dataset.test_images[some], draws),
    }
    images |= more
    methods = {name: METHODS[name] for name in names if name in METHODS}
    fitted_on = {"": dataset.train_images[fit]}  # and the negatives, by pool
    for pool in sorted({method.pool for method in methods.values()} - {""}):
        fitted_on[pool] = negatives(pool, fitted_on[""], draws)

    def seen_of(x: Tensor, wanted: set[str]) -> dict[str, np.ndarray]:
        return views(network, x.to(stage.device), wanted, chunk=engine.chunk)

    seen = {kind: seen_of(x, {method.view for method in methods.values()}) for kind, x in images.items()}
    learnt = {
        pool: seen_of(x, {m.view for m in methods.values() if pool in ("", m.pool)}) for pool, x in fitted_on.items()
    }
    labels, answers = dataset.train_labels[fit].numpy(), outputs["log_y"][0].argmax(1)
    result: dict[str, np.ndarray] = {}
    for name, method in methods.items():
        count = options.fit_images if method.costly else len(fit)  # fit is in random order
        apart = {"negatives": learnt[method.pool][method.view]} if method.pool else {}
        score = method.make(Options.on(dataset.name, options)).fit(
            learnt[""][method.view][:count], labels[:count], **apart
        )
        result |= {f"{name}.{kind}": score.score(x[method.view]) for kind, x in seen.items()}
        own = hasattr(score, "predict")
        result[f"{name}.predicted"] = score.predict(seen["test"][method.view]) if own else answers
    if set(names) & set(OF_OUTPUTS):
        confidence = stage.params(f"confidence.{dataset.name}")
        judged = {
            kind: outputs if kind == "test" else {
                name: values[None] for name, values in image_outputs(
                    network, x.to(stage.device), chunk=engine.chunk, probes=engine.probes).items()}
            for kind, x in images.items()
        }  # fmt: skip
        for name, alpha in labelled(names, confidence.thresholds, reconstructs="distance" in outputs):
            for kind, values in judged.items():
                scaled = scaled_scores(values, 0, alpha=alpha, beta=confidence.beta)
                if name.startswith("confidence"):  # log c̃ = log ỹ − log y
                    scaled = scaled - values["log_y"][0]
                result[f"{name}.{kind}"] = scaled.max(1)
            result[f"{name}.predicted"] = answers
    return result


def labelled(names: list[str], thresholds: list[Any], *, reconstructs: bool) -> list[tuple[str, float]]:
    """ỹ and c̃ at each α of confidence.<dataset>: name with α, and α. Without a reconstruction there is one ỹ, no c̃."""
    if not reconstructs:
        return [("scaled_output", 0.0)] if "scaled_output" in names else []
    alphas = sorted({threshold.alpha for threshold in thresholds})
    return [(f"{name}_alpha{alpha:g}", alpha) for name in OF_OUTPUTS if name in names for alpha in alphas]


def write(
    stage: Stage,
    options: EvaluateScores,
    outputs: dict[str, np.ndarray],
    found: list[dict[str, np.ndarray]],
    budget: dict[str, int],
) -> None:
    """Write the cell. outputs: labels and known classes; found: what `scores_of` gave for each member."""
    dataset = data.load(stage.item["dataset"])
    labels, classes = outputs["labels"], outputs["known"].shape[1]
    methods = list(dict.fromkeys(name.partition(".")[0] for name in found[0]))
    counts = outputs["known"].sum(1)
    rows = []
    for i, scores in enumerate(found):
        known = np.flatnonzero(outputs["known"][i])
        first = {
            "known": len(known), "subset": int((counts[:i] == counts[i]).sum()), "classes": " ".join(map(str, known)),
        }  # fmt: skip
        for method in methods:
            result = separation.trial(part(scores, method), labels, known, options.keep, classes)
            rows.append(first | {"method": method} | result)
    table = pd.DataFrame(rows)
    tables, examples = {"trials": table}, None
    open_counts = counts[counts < classes]
    if len(open_counts):  # one number of known classes is shown: about half of all
        shown = int(max((k for k in open_counts if k <= classes // 2), default=open_counts.min()))
        members = np.flatnonzero(counts == shown)
        tables["histograms"] = pd.concat(
            [histograms(found, members, method, outputs).assign(method=method, known=shown) for method in methods]
        )
        first_member, known = members[0], np.flatnonzero(outputs["known"][members[0]])
        at = table[(table["known"] == shown) & (table["subset"] == 0)].set_index("method")["threshold"]
        tables["confusion"] = pd.concat(
            [
                separation.confusion(part(found[first_member], method), labels, known, at[method]).assign(method=method)
                for method in methods
            ]
        )
        examples = extremes(found[first_member], methods, labels, known, dataset.test_images.numpy())
    spent = {"evaluate_scores.fit_images": options.fit_images, "evaluate_scores.noise_images": options.noise_images}
    results.write(stage.cell, budget=budget | spent, metrics=means(table), tables=tables, examples=examples)


def histograms(
    found: list[dict[str, np.ndarray]], members: np.ndarray, method: str, outputs: dict[str, np.ndarray]
) -> pd.DataFrame:
    """Histograms of a method's scores over some members: test images of known and unknown classes, and other images."""
    kinds: dict[str, list[np.ndarray]] = {}
    for i in members:
        mine, scores = outputs["known"][i][outputs["labels"]], part(found[i], method)
        both = {"known classes": scores["test"][mine], "unknown classes": scores["test"][~mine]}
        for kind, values in (
            both | {KIND_NAMES[kind]: scores[kind] for kind in separation.KINDS if kind in scores}
        ).items():
            kinds.setdefault(kind, []).append(values)
    whole = {kind: np.concatenate(parts) for kind, parts in kinds.items()}
    return histogram(whole, BINS, span=("known classes", "unknown classes"))


def extremes(
    scores: dict[str, np.ndarray], methods: list[str], labels: np.ndarray, known: np.ndarray, images: np.ndarray
) -> dict[str, np.ndarray]:
    """The unknown images that score highest and the known ones that score lowest: (methods, kinds, images) each."""
    mine = np.isin(labels, known)
    chosen = np.zeros((len(methods), 2, min(SHOWN, int(mine.sum()), int((~mine).sum()))), int)
    for m, method in enumerate(methods):
        order = np.argsort(scores[f"{method}.test"], kind="stable")
        chosen[m, 0] = order[~mine[order]][::-1][: chosen.shape[2]]
        chosen[m, 1] = order[mine[order]][: chosen.shape[2]]
    along = range(len(methods))
    return {
        "method": np.array(methods),
        "kind": np.array(["unknown, most confident", "known, least confident"]),
        "known": known,
        "image": images[chosen],
        "label": labels[chosen],
        "score": np.stack([scores[f"{methods[m]}.test"][chosen[m]] for m in along]),
        "predicted": np.stack([scores[f"{methods[m]}.predicted"][chosen[m]] for m in along]),
    }


def means(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Means over the subsets of each number of known classes, and over all numbers where some class is unknown."""
    rows = []
    open_set = table[table["auroc"].notna()]
    for method, mine in open_set.groupby("method", sort=False):
        for name in [*separation.MEASURES, "known_accepted", *(f"auroc_{kind}" for kind in separation.KINDS)]:
            scale = 100 if name in PERCENT else 1
            unit = "percent" if name in PERCENT else "fraction"
            if mine[name].isna().all():
                metric = f"{name}@method={method}"
                rows.append(results.row("scores", metric, None, unit=unit, n=0, note="there is no such image"))
                continue
            groups = [scale * group[name].to_numpy() for _, group in mine.groupby("known")]
            value, interval = stratified_mean(groups, (0, scale))
            kind = "95 % t interval of the mean over numbers of known classes and subsets"
            rows.append(
                results.row(
                    "scores", f"{name}@method={method}", value, unit=unit, n=len(mine), interval=interval, kind=kind
                )
            )
            for known, group in mine.groupby("known") if name in PER_KNOWN else ():
                values = scale * group[name].to_numpy()
                rows.append(
                    results.row(
                        "scores", f"{name}@method={method}@known={known}", float(values.mean()), unit=unit,
                        n=len(values), interval=mean_interval(values, bounds=(0, scale)),
                        kind="95 % t interval of the mean over subsets",
                    )
                )  # fmt: skip
    return rows
