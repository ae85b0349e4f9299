"""What `train_rings` makes of its networks' outputs: the rows of its cell, and the maps of Figure 2."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from overgen.confidence import distance, log_reconstruction
from overgen.measures.means import seeds_row
from overgen.run import results
from overgen.stages.train_rings import geometry, module
from overgen.stages.train_rings.outputs import scores

Arrays = dict[str, np.ndarray]  # what `run.train` gives for a seed


def rows(trained: list[Arrays], settings: Any) -> list[dict[str, Any]]:
    """The rows of the cell: what training reached, and outputs on the rings, far from them, and over the plane.

    trained: of each seed; settings: the section `train_rings` of params.yaml.
    """
    of_last_block = ((settings.steps - 1) % module.BLOCK + 1) * settings.batch_size  # points
    numbers = [
        seeds_row("rings", f"final_{loss}", [float(arrays[loss][-1]) for arrays in trained], unit=unit,
                  n=of_last_block, bounds=(0, np.inf))
        for loss, unit in (("classification_loss", "nats"), ("reconstruction_loss", "squared length"))
    ]  # fmt: skip
    hits = [int((a["log_y"][: settings.test_points].argmax(1) == a["labels"]).sum()) for a in trained]
    numbers.append(results.rate_row("rings", "test_accuracy", hits, settings.test_points, of="fresh points"))
    gaps = geometry.distance_to_rings(
        geometry.plane(settings.resolution, settings.extent), **geometry.of_rings(settings)
    ).numpy()
    for place, chosen in places(gaps, settings).items():
        numbers += place_rows(trained, place, chosen, settings)
    on_ring = 100 * float((gaps == 0).mean())
    numbers.append(results.row("rings", "on_a_ring@plane", on_ring, unit="percent", n=len(gaps)))
    numbers.append(optimal_confidence(settings))
    return numbers


def places(gaps: np.ndarray, settings: Any) -> dict[str, np.ndarray]:
    """Which points lie on the rings, far from them, and on the plane: (T + G,) bool, fresh points first.

    gaps: (G,) distances of the plane's points from the rings.
    """
    fresh, none = np.ones(settings.test_points, bool), np.zeros(settings.test_points, bool)
    return {"rings": np.r_[fresh, gaps < 0], "far": np.r_[none, gaps > settings.far], "plane": np.r_[none, gaps >= 0]}


def place_rows(trained: list[Arrays], place: str, chosen: np.ndarray, settings: Any) -> list[dict[str, Any]]:
    """The rows of a place.

    For y, ỹ with Γ = 1 (`ungated`) and ỹ (`scaled`): the mean of the highest output, and how often it is above τ.
    """
    n, numbers = int(chosen.sum()), []
    judged = [scores(arrays, alpha=settings.alpha, beta=settings.beta) for arrays in trained]
    for name in ("y", "ungated", "scaled"):
        best = [by_name[name][chosen].max(1) for by_name in judged]
        means = [float(b.mean()) for b in best]
        numbers.append(seeds_row("rings", f"mean_{name}@{place}", means, unit="fraction", n=n, bounds=(0, 1)))
        numbers.append(share_row(f"share_{name}@{place}", [b > settings.tau for b in best], place, tau=settings.tau))
    positive = [arrays["gamma"][chosen] > 0 for arrays in trained]
    numbers.append(share_row(f"gamma_positive@{place}", positive, place))
    return numbers


def share_row(metric: str, positive: list[np.ndarray], place: str, *, tau: float | None = None) -> dict[str, Any]:
    """How many of the points of a place are positive. positive: (n,) bool of each seed.

    One seed has an interval on the rings, whose points are drawn; those of the plane are all there are.
    """
    if len(positive) == 1 and place == "rings":
        hits = int(positive[0].sum())
        return results.rate_row("rings", metric, [hits], len(positive[0]), of="fresh points", tau=tau)
    shares = [100 * float(p.mean()) for p in positive]
    return seeds_row("rings", metric, shares, unit="percent", n=len(positive[0]), bounds=(0, 100), tau=tau)


def optimal_confidence(settings: Any) -> dict[str, Any]:
    """The mean of c̃ with Γ = 1 on the rings, for the denoiser that has the least squared error."""
    x, _ = geometry.fresh(settings, settings.test_points, ("rings", settings.seeds[0]))
    reconstruction = geometry.optimal_reconstruction(x, noise_std=settings.noise_std, **geometry.of_rings(settings))
    log_confidence = log_reconstruction(distance(x, reconstruction), alpha=settings.alpha, pixels=2)
    return results.row(
        "rings", "optimal_confidence@rings", float(log_confidence.exp().mean()), unit="fraction", n=len(x)
    )


def maps(arrays: Arrays, settings: Any) -> Arrays:
    """What Figure 2 shows: points with their labels, and maps of [−extent, extent]², rows of rising y.

    arrays: of one seed. y and scaled: (G, G, C), reconstruction and gate (the factors of c̃): (G, G); uint8, 255 for 1.
    """
    by_name = scores(arrays, alpha=settings.alpha, beta=settings.beta)
    points, labels = geometry.fresh(settings, settings.shown_points, ("rings", "shown"))

    def bytes_of(values: np.ndarray) -> np.ndarray:
        values = values[settings.test_points :].reshape(settings.resolution, settings.resolution, *values.shape[1:])
        return np.round(255 * values).astype(np.uint8)

    shown = {name: bytes_of(by_name[name]) for name in ("y", "scaled", "reconstruction", "gate")}
    shown |= {"points": points.half().numpy(), "labels": labels.to(torch.uint8).numpy()}
    return shown | {"extent": np.array(settings.extent)}
