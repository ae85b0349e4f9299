"""In which order the stages of dvc.yaml run: DVC's own, from its own graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx  # type: ignore[import-untyped]
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import PipelineStage


class Order(NamedTuple):
    """What a run of stages looks at.

    plan: DVC's stages in the order in which DVC would run them. before: those that come before each of them. below:
    those that hang on each of them.
    """

    plan: list[Any]
    before: dict[Any, set[Any]]
    below: dict[Any, list[Any]]


def order(repo: Any, targets: Sequence[str]) -> Order:
    """The order of targets, as of `dvc repro`, and of all that they hang on. None stand for all of dvc.yaml."""
    index = repo.index
    graph = get_active_graph(index.graph)
    members = set(plan_repro(graph, _collect(repo, targets or ["dvc.yaml"])))
    # DVC walks through this graph in the order of a set when it is less than half of all: here always dvc.yaml's.
    part = nx.DiGraph()
    part.add_nodes_from(stage for stage in graph if stage in members)
    part.add_edges_from(edge for edge in graph.edges if members.issuperset(edge))
    plan = list(nx.dfs_postorder_nodes(part))
    place = {stage: i for i, stage in enumerate(plan)}
    before = {stage: set(part.successors(stage)) for stage in plan}
    for one, other in index.graph.edges:  # of frozen stages: DVC runs them in its order, whatever they depend on
        if one in place and other in place and not part.has_edge(one, other):
            first, second = sorted((one, other), key=place.__getitem__)
            before[second].add(first)
    return Order(plan, before, {stage: list(part.predecessors(stage)) for stage in plan})


def _collect(repo: Any, targets: Iterable[str]) -> list[Any]:
    """The stages that targets name: from the index if it has them, since DVC would read dvc.lock again."""
    stages: dict[Any, None] = {}
    for target in targets:
        matching = [
            stage
            for stage in repo.index.stages
            if isinstance(stage, PipelineStage)
            and (
                target == stage.addressing
                or (target == "dvc.yaml" and stage.relpath == target)
                or (stage.relpath == "dvc.yaml" and target == stage.raw_data.generated_from)
            )
        ]
        stages.update(dict.fromkeys(matching or collect_stages(repo, [target])))
    return list(stages)


def is_cell(stage: Any) -> bool:
    """Whether a stage of DVC's makes a cell, or the cells of all models on a data set."""
    return any("/reports/cells/" in Path(str(out)).absolute().as_posix() for out in stage.outs)
