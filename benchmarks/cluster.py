"""A simulation of the papers' whole grid on a cluster: `python benchmarks/cluster.py`. Nothing is trained or attacked.

Cells are those of dvc.yaml, which says what waits for what; without digits, no data set of the papers.
Times are those of budgets/times.csv, the upper ends of what docs/costs.md states, each measured once. Where
budgets/paper.txt has more epochs, subsets, seeds, runs or trials than params.yaml, times grow in proportion; those of
networks that know k classes also with k. A cell takes the share of a GPU that it was measured with, 1/24, or, of a cell
without a GPU, a sixteenth for each core: the GPU's machine had 16. Jobs begin by list scheduling, the longest path to
the end first. No schedule ends before the critical path does, nor before all shares are done on all GPUs.

Not simulated: that a cell which has more of a GPU for itself is faster, what it costs to start one, what a split
costs, and memory. A stack is what a GPU trains as one (`engine.*.together`, 50 networks); members on their own would
fill it less well, so that their lines are a limit and no promise. A cell waits for all parts of what it needs.

Of 166 cells 119 were measured; two take the mean of their stage, and 45 of stages that nobody measured nothing (with
the mean of all instead: 300.9 min on any number of GPUs, where the critical path is as long). In minutes:

                                        critical path    work   1 GPU   4      16     64 GPUs
    cells as they are                       279.2        154.4  279.2   279.2  279.2  279.2
    the slowest of that path in 2 stacks    248.1        154.4  248.1   248.1  248.1  248.1
    the same in 91 members                  248.1        154.4  248.1   248.1  248.1  248.1
    every cell in its stacks                151.5        154.4  155.3   151.7  151.5  151.5
    every cell in its members               139.2        154.4  154.9   139.9  139.2  139.2

Makespans are at most 1.006 times the lower bound (goal 1.15). At the measured shares one GPU is enough: the path
train_openset@fashion_mnist-cnn (176 min), evaluate_scores@fashion_mnist-cnn (103), report is longer than all the work.
Once that training is split, train_autoencoder@mnist-dae_sym (85), fool_evolution@mnist-dae_sym (60),
evaluate_scores@mnist-cnn (103) is next, so that only splitting both gains much; with all split the 85 minutes of a dAE
and the 50 of an attack on it remain.
"""

from __future__ import annotations

import heapq
import itertools
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx

from overgen.run import params
from overgen.run.budget import set_budgets
from overgen.run.hints import TIMES, longest, read_times
from overgen.run.pipeline import address, belongs, cells_of, filled, read_stages
from overgen.run.plans import overlap

ROOT = Path(__file__).resolve().parent.parent
GPUS = (1, 4, 16, 64)
CORES = 16  # of the machine that an H200 of docs/costs.md was in: a cell without a GPU takes a share of them
GOAL = 1.15
LEFT_OUT = ("digits",)  # no data set of the papers


class Job(NamedTuple):
    """seconds: of wall time; share: of one GPU with its machine, above 0 and at most 1."""

    seconds: float
    share: Fraction


class Placed(NamedTuple):
    """When a job begins, in seconds, and on which of the GPUs, from 0."""

    start: float
    gpu: int


# The scheduler.


def schedule(graph: nx.DiGraph, jobs: Mapping[str, Job], gpus: int) -> dict[str, Placed]:
    """List scheduling, longest path first: whenever a job ends, those that can begin do, on the fullest GPU with room.

    graph: an edge from each job to each that waits for it. Of the jobs that wait for nothing, the one with the longest
    path to the end comes first; one that finds no room is passed over. Raises ValueError for a share that no GPU has.
    """
    for name, job in jobs.items():
        if not 0 < job.share <= 1:
            raise ValueError(f"{name}: its share of a GPU is {job.share}; must be above 0 and at most 1")
    whole = math.lcm(*(job.share.denominator for job in jobs.values()))  # shares as whole numbers: sums are exact
    size = {name: int(job.share * whole) for name, job in jobs.items()}
    path = paths(graph, jobs)
    waits = {name: graph.in_degree(name) for name in jobs}
    ready = sorted((name for name in jobs if not waits[name]), key=lambda name: (-path[name], name))
    free, running, placed, now = [whole] * gpus, list[tuple[float, str]](), dict[str, Placed](), 0.0
    while ready or running:
        passed = []
        for name in ready:
            fits = [gpu for gpu, room in enumerate(free) if room >= size[name]] if max(free) >= size[name] else []
            if not fits:
                passed.append(name)
                continue
            gpu = min(fits, key=free.__getitem__)
            free[gpu] -= size[name]
            placed[name] = Placed(now, gpu)
            heapq.heappush(running, (now + jobs[name].seconds, name))
        ready = passed
        now = running[0][0]
        while running and running[0][0] <= now:
            ended = heapq.heappop(running)[1]
            free[placed[ended].gpu] += size[ended]
            for name in graph.successors(ended):
                waits[name] -= 1
                if not waits[name]:
                    ready.append(name)
        ready.sort(key=lambda name: (-path[name], name))
    return placed


def paths(graph: nx.DiGraph, jobs: Mapping[str, Job]) -> dict[str, float]:
    """Seconds from the beginning of each job to the end of all that waits for it."""
    length: dict[str, float] = {}
    for name in reversed(list(nx.topological_sort(graph))):
        length[name] = jobs[name].seconds + max((length[other] for other in graph.successors(name)), default=0.0)
    return length


def critical(graph: nx.DiGraph, jobs: Mapping[str, Job]) -> list[str]:
    """The jobs of a longest path, in order."""
    length, found = paths(graph, jobs), list[str]()
    following = list(jobs)
    while following:
        found.append(max(following, key=length.__getitem__))
        following = list(graph.successors(found[-1]))
    return found


def bound(graph: nx.DiGraph, jobs: Mapping[str, Job], gpus: int) -> float:
    """Seconds that no schedule can undercut: the longest path, or all shares of all jobs on all GPUs."""
    return max(max(paths(graph, jobs).values()), work(jobs) / gpus)


def work(jobs: Mapping[str, Job]) -> float:
    """Seconds of a whole GPU, all jobs together."""
    return sum(job.seconds * float(job.share) for job in jobs.values())


def makespan(jobs: Mapping[str, Job], placed: Mapping[str, Placed]) -> float:
    """When the last job ends, in seconds."""
    return max(where.start + jobs[name].seconds for name, where in placed.items())


def split(graph: nx.DiGraph, jobs: Mapping[str, Job], parts: Mapping[str, Sequence[float]]) -> tuple[nx.DiGraph, dict]:
    """The graph and the jobs with some replaced by parts that wait for nothing of each other.

    parts: of each job to replace, what its parts cost, in any unit: the seconds are shared out in proportion.
    """
    graph, jobs = graph.copy(), dict(jobs)
    for name, costs in parts.items():
        job, before, after = jobs.pop(name), list(graph.predecessors(name)), list(graph.successors(name))
        graph.remove_node(name)
        for i, cost in enumerate(costs):
            part = f"{name}#{i}"
            jobs[part] = job._replace(seconds=job.seconds * cost / sum(costs))
            graph.add_node(part)
            graph.add_edges_from([(other, part) for other in before] + [(part, other) for other in after])
    return graph, jobs


# The study.


class Study(NamedTuple):
    """The papers' grid. members: what the members of each cell cost, where it has several, in proportion.

    stacks: the same of members that the GPU trains as one, see `engine.<dataset>.together`. unmeasured: cells without a
    row, of stages in which others have one; unknown: the stages in which none has, with their numbers of cells.
    """

    graph: nx.DiGraph
    jobs: dict[str, Job]
    members: dict[str, list[float]]
    stacks: dict[str, list[float]]
    unmeasured: list[str]
    unknown: dict[str, int]


def study(root: Path, *, unknown: float | None = 0.0) -> Study:
    """The cells of a checkout's dvc.yaml, with the times of its budgets/times.csv scaled to the papers' budgets.

    unknown: seconds of cells of stages of which none was measured; None: the mean of all that were.
    """
    values = params.load(root / "params.yaml").sections
    with tempfile.TemporaryDirectory() as folder:
        for name in ("params.yaml", "dvc.yaml"):
            (Path(folder) / name).write_bytes((root / name).read_bytes())
        set_budgets(root / "budgets/paper.txt", Path(folder, "params.yaml"))
        papers = params.load(Path(folder, "params.yaml")).sections
    times = read_times(root / TIMES)
    cells, jobs = dict[str, dict[str, Any]](), dict[str, Job]()
    members, stacks = dict[str, list[float]](), dict[str, list[float]]()
    for stage, entry in read_stages(root / "dvc.yaml").items():
        for item in cells_of(entry, values):
            dataset, name = item.get("dataset", ""), address(stage, entry, item)
            if stage == "code" or dataset in LEFT_OUT or not belongs(item, values):
                continue
            cells.setdefault(name, {"stage": stage} | filled(entry, item))
            costs = member_costs(papers, stage, item)
            if len(costs) > 1:
                members[name] = stacks[name] = costs
            if (found := longest(name, times)) is None:
                continue
            share = Fraction(found.gpu).limit_denominator(1000) if found.gpu else Fraction(found.cores or 1, CORES)
            scale = sum(costs) / sum(member_costs(values, stage, item))
            jobs[name] = Job(found.seconds * scale, min(share, Fraction(1)))
            if found.gpu and stage.startswith("train_") and name in members:
                several, falling = values["engine"][dataset].together_on("cuda"), sorted(costs, reverse=True)
                stacks[name] = [sum(falling[i : i + several]) for i in range(0, len(costs), several)]
    graph = nx.DiGraph()
    graph.add_nodes_from(cells)
    graph.add_edges_from(
        (maker, reader)
        for maker, reader in itertools.permutations(cells, 2)
        if any(overlap(out, dep) for out in cells[maker]["outs"] for dep in cells[reader]["deps"])
    )
    lacking = [name for name in cells if name not in jobs]
    measured = dict(jobs)
    unmeasured, stages = list[str](), dict[str, int]()
    for name in lacking:
        stage = cells[name]["stage"]
        alike = [job.seconds for other, job in measured.items() if cells[other]["stage"] == stage]
        if alike:
            unmeasured.append(name)
        else:
            stages[stage] = stages.get(stage, 0) + 1
            alike = [job.seconds for job in measured.values()] if unknown is None else [unknown]
        jobs[name] = Job(sum(alike) / len(alike), Fraction(1, CORES))
    return Study(graph, jobs, members, stacks, unmeasured, stages)


def member_costs(values: Mapping[str, Any], stage: str, item: Mapping[str, str]) -> list[float]:
    """What the independent members of a cell cost beside each other, in any unit: epochs, runs, trials.

    A network of k known classes sees k classes' images in an epoch. Of stages without such members one number.
    """
    dataset, model = item.get("dataset", ""), item.get("model", "")
    section = values.get(stage)
    own = section.get(dataset) if isinstance(section, Mapping) else None
    if stage in ("train_openset", "train_controls"):
        costs = [float(k * own.epochs) for k in own.known for _ in range(subsets(k, own.subsets))]
        longer = getattr(own, "further", None)
        return costs + ([float(longer.known * longer.epochs)] * subsets(longer.known, own.subsets) if longer else [])
    if stage == "evaluate_scores":
        networks = values["train_openset"][dataset]
        return [1.0 for k in networks.known for _ in range(subsets(k, networks.subsets))]
    if stage == "train_oneclass":
        return [float(own.epochs)] * len(own.classes)
    if stage in ("train_classifier", "train_autoencoder", "train_variants"):
        return [float(of_model(own.epochs, model))] * len(own.seeds)
    if stage == "fool_evolution":
        return [float(of_model(own.generations, model))] * (len(own.encodings) * own.runs)
    if stage in ("fool_fgn", "fool_variants"):
        attacks = own.models[model]
        return [float(own.trials * of_model(own.updates, model))] * (
            1 + len(attacks.scaled) + len(getattr(attacks, "variants", ()))
        )
    return [1.0]


def subsets(known: int, count: int) -> int:
    """How many different subsets of ten classes there are, at most `count`."""
    return min(count, math.comb(10, known))


def of_model(value: Any, model: str) -> Any:
    """A value for all models, or that of one."""
    return value[model] if isinstance(value, Mapping) else value


# What is printed.


def main() -> bool:
    """Print what was simulated. Returns whether the goal is reached on every number of GPUs."""
    grid = study(ROOT)
    print("A simulation: no cell is run. Times of budgets/times.csv, scaled to the papers' budgets.")
    print(f"{len(grid.jobs)} cells, {len(grid.jobs) - len(grid.unmeasured) - sum(grid.unknown.values())} of them "
          f"measured; {len(grid.unmeasured)} take the mean of their stage: {', '.join(grid.unmeasured)}")  # fmt: skip
    print(f"{sum(grid.unknown.values())} of stages in which none was measured take nothing, or the mean of all: "
          f"{', '.join(f'{stage} ({n})' for stage, n in grid.unknown.items())}")  # fmt: skip
    ratios = told("cells as they are", grid.graph, grid.jobs)
    slowest = max(critical(grid.graph, grid.jobs), key=lambda name: grid.jobs[name].seconds)
    for what, parts in (("stacks", grid.stacks), ("members", grid.members)):
        if slowest in parts:
            ratios += told(f"{slowest} in {len(parts[slowest])} {what}",
                           *split(grid.graph, grid.jobs, {slowest: parts[slowest]}))  # fmt: skip
        ratios += told(f"every cell in its {what}", *split(grid.graph, grid.jobs, parts))
    other = study(ROOT, unknown=None)
    ratios += told("cells as they are, unknown stages at the mean of all", other.graph, other.jobs)
    print(f"largest makespan / lower bound: {max(ratios):.3f} (goal: at most {GOAL})")
    return max(ratios) <= GOAL


def told(what: str, graph: nx.DiGraph, jobs: Mapping[str, Job]) -> list[float]:
    """Print makespans and lower bounds. Returns their ratios."""
    way = [name for name in critical(graph, jobs) if jobs[name].seconds]
    shown = ", then ".join(f"{name} {minutes(jobs[name].seconds)}" for name in way)
    print(
        f"{what}: work {minutes(work(jobs))} of a GPU, critical path {minutes(sum(jobs[name].seconds for name in way))}"
    )
    print(f"  ({shown})")
    ratios = []
    for gpus in GPUS:
        took, least = makespan(jobs, schedule(graph, jobs, gpus)), bound(graph, jobs, gpus)
        ratios.append(took / least)
        print(f"  {gpus:>2} GPUs: {minutes(took):>9}, lower bound {minutes(least):>9}, ratio {ratios[-1]:.3f}")
    return ratios


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
