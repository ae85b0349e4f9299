"""Which outputs that dvc.lock names are to be had, where, and what the others cost to make again.

Only outputs with a cache count: data sets, and weights that are not in Git. DVC itself is asked; nothing is fetched,
and nothing is written but DVC's own notes of checksums.

`dvc status -c` is not enough: a folder of which neither cache nor remote has the list of files is left out of what it
compares, so that it ends with "in sync" where all is lost. Where the list is on the remote alone, it fetches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.status import status
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError

from overgen import OvergenError
from overgen.run.hints import HERE, Hint, Hints, hint
from overgen.run.plans import overlap

SHOWN = 3  # files that a line names


class Stored(NamedTuple):
    """What a store, DVC's cache or a remote, has of an output.

    listed: whether it has the file itself or, of a folder, the list of its files. lacking: the files of the folder that
    it does not have; None where the list is nowhere, so that nobody knows.
    """

    listed: bool
    lacking: frozenset[str] | None

    @property
    def whole(self) -> bool:
        return self.listed and self.lacking == frozenset()


class Found(NamedTuple):
    """An output of a stage that dvc.lock names, and where it is.

    here: whether it lies in the workspace, as it was recorded. remote: None where none is set. size: in bytes; files:
    how many; None where dvc.lock does not say. read_by: the addresses of the stages that depend on it.
    """

    address: str
    path: str
    here: bool
    cache: Stored
    remote: Stored | None
    size: int | None
    files: int | None
    read_by: tuple[str, ...]

    @property
    def lacking(self) -> frozenset[str] | None:
        """The files of a folder that no store has; None where nobody knows which those are."""
        parts = [store.lacking for store in (self.cache, self.remote) if store is not None]
        known = [part for part in parts if part is not None]
        return frozenset.intersection(*known) if known else None

    @property
    def stored(self) -> bool:
        """Whether cache and remote together hold all of it, as `dvc pull` puts it together."""
        listed = self.cache.listed or (self.remote is not None and self.remote.listed)
        return listed and self.lacking == frozenset()

    @property
    def exists(self) -> bool:
        return self.here or self.stored


class Search(NamedTuple):
    """What was found of the outputs.

    unlocked: those of dvc.yaml that dvc.lock does not name; remote: the default one, "" for none; stages: the addresses
    of all stages, in dvc.yaml's order.
    """

    found: list[Found]
    unlocked: list[str]
    remote: str
    stages: list[str]

    @property
    def lost(self) -> list[Found]:
        """What exists nowhere."""
        return [output for output in self.found if not output.exists]


def search() -> Search:
    """Look for every output with a cache that the dvc.lock of this repository names.

    Raises OvergenError where DVC cannot read the repository or cannot ask the default remote.
    """
    with _as_overgen_errors(), Repo() as repo:
        repo.lock._wait = True  # another DVC may hold it for a moment
        with lock_repo(repo):
            stages = repo.index.stages
            remote = repo.config["core"].get("remote") or ""
            found, unlocked = [], []
            for stage in stages:
                for out in (out for out in stage.outs if out.use_cache):
                    if out.hash_info:
                        found.append(_look(repo, stage, out, remote))
                    else:
                        unlocked.append(str(out))
    return Search(found, unlocked, remote, [stage.addressing for stage in stages])


@contextmanager
def _as_overgen_errors() -> Iterator[None]:
    try:
        yield
    except DvcException as error:
        raise OvergenError(f"DVC: {error}") from error


def _look(repo: Any, stage: Any, out: Any, remote: str) -> Found:
    stores = [out.cache]
    if name := out.remote or remote:
        with _asking(f"remote {name}"):
            stores.append(repo.cloud.get_remote_odb(name, "status", hash_name=out.hash_name))
    tree: Tree | None = None
    for i, odb in enumerate(stores):
        with _asking(f"remote {name}" if i else "cache"):
            tree = tree or _tree(odb, out.hash_info)
    held = []
    for i, odb in enumerate(stores):
        with _asking(f"remote {name}" if i else "cache"):
            held.append(_stored(odb, out.hash_info, tree))
    read_by = [other.addressing for other in repo.index.stages if any(_overlap(dep, out) for dep in other.deps)]
    here = not out.workspace_status()
    return Found(
        stage.addressing, str(out), here, held[0], held[1] if len(held) > 1 else None,
        out.meta.size, out.meta.nfiles if out.hash_info.isdir else 1, tuple(read_by),
    )  # fmt: skip


@contextmanager
def _asking(store: str) -> Iterator[None]:
    """What a store answers with: each kind of remote has errors of its own."""
    try:
        yield
    except OvergenError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise OvergenError(
            f"DVC's {store} cannot be asked ({what}); `dvc status -c` asks the same, `dvc remote list` says where it is"
        ) from error


def _tree(odb: HashFileDB, wanted: HashInfo) -> Tree | None:
    """The list of a folder's files as a store holds it; None of a file, and where it does not."""
    if not wanted.isdir:
        return None
    try:
        return Tree.load(odb, wanted)
    except (FileNotFoundError, ObjectFormatError):
        return None


def _stored(odb: HashFileDB, wanted: HashInfo, tree: Tree | None) -> Stored:
    """What a store has. tree: the folder's files, None where nobody knows them or where it is a file."""
    files = {"/".join(key): info for key, _, info in tree} if tree is not None else {}
    there = {info.value for info in status(odb, {wanted, *files.values()}).exists}
    known = not wanted.isdir or tree is not None
    lacking = frozenset(name for name, info in files.items() if info.value not in there) if known else None
    return Stored(wanted.value in there, lacking)


def _overlap(dep: Any, out: Any) -> bool:
    return dep.fs_path is not None and dep.protocol == out.protocol and overlap(dep.fs_path, out.fs_path)


def check() -> None:
    """Print where the outputs of dvc.lock are. Raises OvergenError with what to do where any exists nowhere."""
    found = search()
    for line in lines(found):
        print(line)
    if found.lost:
        raise OvergenError(way_out(found))


def lines(found: Search) -> Iterator[str]:
    """What was found, by stage: a line an output, then the sums, and which stages wait for what."""
    for kind in dict.fromkeys(_kind(output.address) for output in found.found):
        outputs = [output for output in found.found if _kind(output.address) == kind]
        width = max(len(output.path) for output in outputs)
        yield f"{kind}:"
        for output in outputs:
            yield f"  {output.path:<{width}}  {_place(output)}{_cost(output)}"
    counts = {
        "in the workspace": sum(output.here for output in found.found),
        "in the cache": sum(output.cache.whole for output in found.found),
    }
    if found.remote:
        counts[f"on the remote {found.remote}"] = sum(bool(each.remote and each.remote.whole) for each in found.found)
    where = "".join(f"{count} {place}, " for place, count in counts.items())
    yield f"{_many(len(found.found), 'output')} of dvc.lock with a cache: {where}{len(found.lost)} nowhere."
    if fetched := [output for output in found.found if output.stored and not output.here]:
        command = "dvc checkout" if all(output.cache.whole for output in fetched) else "dvc pull"
        yield f"`{command}` brings {_many(len(fetched), 'output')} into the workspace."
    if found.unlocked:
        yield f"Not in dvc.lock, so never made: {', '.join(found.unlocked)}."
    if found.lost:
        yield "What was measured stays where Git has it. To run again"
        for waited, addresses in waiting(found).items():
            needs = f"wait for {' and '.join(waited)}" if waited else "nothing is lacking"
            yield f"  {needs}: {_counted(addresses)}"


def waiting(found: Search) -> dict[tuple[str, ...], list[str]]:
    """The addresses of all stages that read outputs, by the stages whose outputs they read and that exist nowhere.

    Those that make what exists nowhere are among them, as they may wait for others. Stages that wait for nothing come
    last, under ().
    """
    by_needs: dict[tuple[str, ...], list[str]] = {}
    for address in found.stages:
        needs = tuple(dict.fromkeys(_kind(output.address) for output in found.lost if address in output.read_by))
        by_needs.setdefault(needs, []).append(address)
    return dict(sorted(by_needs.items(), key=lambda item: not item[0]))


def way_out(found: Search) -> str:
    """What to do about what exists nowhere: commands, and what they cost."""
    addresses = list(dict.fromkeys(output.address for output in found.lost))
    if found.remote:
        elsewhere = f"Nor are they on the default remote, {found.remote}: if another has them, `dvc pull -r NAME`"
    else:
        elsewhere = "No default remote is set: if somebody has one with them, `dvc remote add -d NAME URL`, `dvc pull`"
    others = {_kind(other) for other in found.stages if other not in addresses}
    targets = dict.fromkeys(each if _kind(each) in others else _kind(each) for each in addresses)
    return (
        f"{_many(len(found.lost), 'output')} of dvc.lock {'exists' if len(found.lost) == 1 else 'exist'} nowhere. "
        f"{elsewhere}. To make them again, `dvc repro -s {' '.join(targets)}`: {_sum(addresses)}. On another type of "
        "machine weights come out with other bytes, and what reads them is then to be run again"
    )


def _sum(addresses: Iterable[str]) -> str:
    """What stages take one after another, as far as it was measured."""
    known = Hints()
    hints = [known.of(address) for address in addresses]
    places: dict[str, list[float]] = {}
    for each in (each for each in hints if each is not None):
        where = " here" if each.measured_on == HERE else " on a share of a GPU" if each.gpu else ""
        places.setdefault(where, []).append(each.seconds)
    parts = [f"{spell(sum(times))} for {_many(len(times), 'stage')}{where}" for where, times in places.items()]
    if unknown := hints.count(None):
        parts.append(f"{_many(unknown, 'stage')} not measured")
    return ", ".join(parts)


def spell(seconds: float) -> str:
    """A time in the unit that a reader would choose: 8 s, 3.5 min, 12 min, 3.4 h."""
    unit, name = (1, "s") if seconds < 100 else (60, "min") if seconds < 6000 else (3600, "h")
    amount = seconds / unit
    return f"{amount:.0f} {name}" if amount >= 10 else f"{round(amount, 1):g} {name}"


def _kind(address: str) -> str:
    return address.partition("@")[0]


def _place(output: Found) -> str:
    """Where an output is, how large it is, and which of its files a store lacks that has the others."""
    stores = {"cache": output.cache} | ({"remote": output.remote} if output.remote else {})
    places = [*(["workspace"] if output.here else []), *(name for name, store in stores.items() if store.whole)]
    if not places and output.stored:
        places = ["cache and remote together"]
    files = f", {_many(output.files, 'file')}" if output.files else ""
    size = f" ({output.size / 1e6:.1f} MB{files})" if output.size is not None else ""
    parts = {name: store.lacking for name, store in stores.items() if store.listed and store.lacking}
    lacks = [f"; the {name} lacks {_named(lacking)}" for name, lacking in parts.items()]
    return (", ".join(places) or "nowhere") + size + "".join(lacks)


def _named(names: Iterable[str]) -> str:
    names = sorted(names)
    further = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {further} more" if further > 0 else "")


def _cost(output: Found) -> str:
    return "" if output.exists else f"; again: {_measured(hint(output.address))}"


def _measured(known: Hint | None) -> str:
    return "not measured" if known is None else f"{spell(known.seconds)} ({known.measured_on})"


def _counted(addresses: Iterable[str]) -> str:
    """Stages with the number of their cells: evaluate_openset (9), report (3)."""
    kinds = [_kind(address) for address in addresses]
    return ", ".join(f"{kind} ({kinds.count(kind)})" for kind in dict.fromkeys(kinds))


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
