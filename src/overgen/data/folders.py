"""Folders and zip files of pictures: as data sets with classes, or as pictures alone."""

from __future__ import annotations

import difflib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch

from overgen import OvergenError
from overgen.data import Dataset
from overgen.data.fetch import say
from overgen.data.reader import FORMATS, Fit, Ground, bright_borders, read_picture, size_and_channels
from overgen.data.split import by_digest, split

PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test", "valid": "valid", "val": "valid",
         "validation": "valid", "dev": "valid"}  # fmt: skip

LOOKED_AT = 200  # pictures at least, to tell the ground of a data set: read without what pads them


class Picture(NamedTuple):
    """A file of a folder. name: its path there; part: "train", "test", or "" where there are no such folders."""

    name: str
    part: str
    label: str


def image_folder(
    path: str | Path,
    *,
    shape: Sequence[int] | None = None,
    ground: Ground | None = None,
    fit: Fit = "pad",
    invert: bool | None = None,
    white: float | None = None,
    classes: Sequence[str] | str | Path | None = None,
    labelled: bool = True,
    limit: int | None = None,
) -> Dataset:
    """A data set from a folder or zip file of pictures.

    path: holds `train/<class>/<picture>` and `test/<class>/<picture>`, or `<class>/<picture>`. The class is the folder
    a picture lies in, at any depth. Hidden files and what is no picture by its suffix are left out.
    shape: (C, H, W) to which all are brought; C = 1 makes them gray, 3 RGB. Without it pictures must be of one size,
    which they keep, and stay in colour if any of them has colour.
    ground, fit, invert, white: of `read_picture`. Where most gray pictures have a bright ground and nothing is said of
    `invert`, they are kept as they are, with a word.
    classes: the names of the classes in the order of their numbers, or a text file with a name a line; by default the
    folders' names in alphabetical order. A folder may be called by the name, whatever its case and with _ for a space,
    or by the number. Such classes come from elsewhere, as those of a trained network do: not every one needs pictures.
    labelled: False for pictures without classes, in any folders: all labels are −1, and `classes` must be given.
    limit: at most so many train and so many test pictures, drawn by their paths and said so.

    Split: as the folders say; `valid` and the like are left out, or the test set if there is no other. Without such
    folders a fifth are test pictures, at least one of each class, stratified, fixed by their paths (`split`).
    Raises OvergenError naming what does not fit: a picture that cannot be read, sizes that differ; unless `classes` are
    given, a class with one picture and one that only the test set has.
    """
    path, given = Path(path).expanduser(), class_names(classes)
    with files_of(path) as (names, open_file):
        pictures = _placed(path, names, labelled)
        if not labelled and given is None:
            raise OvergenError(f"{path}: pictures without labels need the names of the classes; give `classes`")
        found = sorted({picture.label for picture in pictures}) if labelled else []
        of_label = dict(zip(found, _numbers(path, found, given), strict=True))
        all_classes = given or tuple(found)
        if len(all_classes) < 2 or (labelled and not found):
            raise OvergenError(
                f"{path}: pictures of {len(all_classes)} classes; at least 2 are needed, as "
                f"{path.name}/<class>/<picture>, in a form that is read ({', '.join(FORMATS)})"
            )
        numbers = np.array([of_label[picture.label] if labelled else -1 for picture in pictures], dtype=np.int64)
        train, test = _parted(path, pictures, numbers, all_classes, given is not None)
        files = [picture.name for picture in pictures]
        if limit is not None and max(len(train), len(test)) > limit:
            taken = ", ".join(
                f"{min(limit, len(part))} of {len(part)} {name}" for name, part in (("train", train), ("test", test))
            )
            say(f"{path}: {taken} pictures are taken")
            train, test = (np.sort(np.array(by_digest(part, files)[:limit], dtype=np.int64)) for part in (train, test))
            kept = np.sort(np.concatenate([train, test]))
            train, test = np.searchsorted(kept, train), np.searchsorted(kept, test)
            files, numbers = [files[i] for i in kept], numbers[kept]
        options = {"ground": ground, "fit": fit, "invert": bool(invert), "white": white}
        images = _read(path, files, open_file, shape, options)
        flat = images.reshape(len(images), -1)
        if (constant := int((flat.min(1) == flat.max(1)).sum())) > len(images) / 2:
            say(
                f"{path}: {constant} of {len(images)} pictures are of one colour, so nothing is to be seen in them; of "
                "dark ink on a transparent ground `ground: white` or `invert: true` shows it"
            )
        if invert is None and images.shape[1] == 1:
            some = files[:: max(1, len(files) // LOOKED_AT)]
            share = bright_borders(_read(path, some, open_file, (1, 28, 28), options | {"fit": "stretch"}))
            if share > 0.5:
                say(
                    f"{path}: {share:.0%} of the pictures have a bright ground, as ink on paper; they are kept so. "
                    "`invert: true` makes it black, as MNIST's is; `invert: false` says that it is meant"
                )
    pixels, labels = torch.from_numpy(images), torch.from_numpy(numbers)
    return Dataset(path.stem, all_classes, pixels[train], labels[train], pixels[test], labels[test])


def read_folder(
    path: str | Path,
    shape: Sequence[int],
    *,
    limit: int | None = None,
    seed: int = 0,
    ground: Ground | None = None,
    fit: Fit = "pad",
    invert: bool = False,
    white: float | None = None,
) -> tuple[np.ndarray, list[str]]:
    """The pictures of a folder or zip file, at any depth, without classes.

    shape: (C, H, W) to which all are brought, as `read_picture` does with ground, fit, invert and white.
    limit: at most so many, drawn by `seed` and said so, whatever the order in which the disk lists them.
    Returns (N, C, H, W) uint8 and the N paths in the folder, in alphabetical order.
    Raises OvergenError if there is no picture, or one that cannot be read.
    """
    path = Path(path).expanduser()
    with files_of(path) as (names, open_file):
        if not names:
            raise OvergenError(f"{path}: holds no picture in a form that is read ({', '.join(FORMATS)})")
        if limit is not None and len(names) > limit:
            from overgen.run.streams import generator

            chosen = torch.randperm(len(names), generator=generator("read_folder", seed))[:limit].sort().values
            say(f"{path}: {limit} of its {len(names)} pictures, drawn by seed {seed}")
            names = [names[i] for i in chosen]
        options = {"ground": ground, "fit": fit, "invert": invert, "white": white}
        return _read(path, names, open_file, shape, options), names


@contextmanager
def files_of(path: Path) -> Iterator[tuple[list[str], Callable[[str], IO[bytes]]]]:
    """The pictures in a folder or zip file by their suffix, as (sorted paths in it, a function that opens one).

    Raises OvergenError if there is no such folder or whole zip file.
    """
    if path.is_dir():
        files = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        yield _pictures(files), lambda name: (path / name).open("rb")
    elif path.exists():
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise OvergenError(f"{path}: neither a folder nor a whole zip file ({error})") from error
        with archive:
            yield _pictures(archive.namelist()), archive.open
    else:
        raise OvergenError(f"{path}: missing; a folder or zip file of pictures is expected there")


def _pictures(files: Iterator[str] | Sequence[str]) -> list[str]:
    from PIL import Image

    suffixes = {suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS}
    return sorted(
        name
        for name in files
        if Path(name).suffix.lower() in suffixes
        and not any(part.startswith((".", "__MACOSX")) for part in Path(name).parts)
    )


def _placed(path: Path, names: Sequence[str], labelled: bool) -> list[Picture]:
    """The pictures of a data set, each with its part and its class."""
    folders = [Path(name).parts[:-1] for name in names]
    depth = 0  # of the folders that all lie in
    while all(len(folder) > depth for folder in folders) and len({folder[depth] for folder in folders}) == 1:
        depth += 1
    tops = dict.fromkeys(folder[depth] for folder in folders if len(folder) > depth)
    kinds = {top: PARTS.get(top.lower(), "") for top in tops}
    if "train" not in kinds.values() or not {"test", "valid"} & set(kinds.values()):
        flat = [name for name, folder in zip(names, folders, strict=True) if not folder]
        if labelled and flat:
            if len(flat) == len(names):
                raise OvergenError(
                    f"{path}: its {len(flat)} pictures lie in no class folder, such as {path.name}/<class>/{flat[0]}"
                )
            say(f"{path}: {len(flat)} pictures that lie in no class folder are left out, such as {flat[0]}")
        return [Picture(name, "", folder[-1] if folder else "") for name, folder in zip(names, folders, strict=True)
                if folder or not labelled]  # fmt: skip
    beside = [top for top, kind in kinds.items() if not kind]
    beside += [name for name, folder in zip(names, folders, strict=True) if len(folder) == depth]
    if beside:
        raise OvergenError(
            f"{path}: beside {', '.join(top for top, kind in kinds.items() if kind)} lie {', '.join(beside[:5])}; "
            "a data set has either these, with a folder a class in each, or folders of classes only"
        )
    has_test = "test" in kinds.values()
    pictures = []
    for name, folder in zip(names, folders, strict=True):
        kind = kinds[folder[depth]]
        if labelled and len(folder) == depth + 1:
            raise OvergenError(
                f"{path}: {name} lies in no class folder; {folder[depth]}/<class>/{Path(name).name} is expected"
            )
        if kind == "valid" and has_test:
            continue
        pictures.append(Picture(name, "test" if kind == "valid" else kind, folder[-1]))
    if left_out := len(names) - len(pictures):
        say(f"{path}: {left_out} pictures for validation are left out; train and test are taken")
    elif not has_test:
        say(f"{path}: has no test pictures; those for validation are taken for them")
    return pictures


def class_names(classes: Sequence[str] | str | Path | None) -> tuple[str, ...] | None:
    """The names of the classes, read from a file if it is one. Raises OvergenError for a name given twice."""
    if classes is None:
        return None
    if isinstance(classes, str | Path):
        file = Path(classes).expanduser()
        try:
            classes = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeError) as error:
            raise OvergenError(f"{file}: no text with the name of a class on each line ({error})") from error
    names = tuple(map(str, classes))
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise OvergenError(f"classes: {', '.join(twice[:5])}: named twice")
    return names


def _numbers(path: Path, found: Sequence[str], given: Sequence[str] | None) -> list[int]:
    """The class number of each folder's name. Raises OvergenError for one that is no class, and for two of one."""
    if given is None:
        return list(range(len(found)))
    plain = [name.casefold().replace("_", " ") for name in given]
    numbers = []
    for label in found:
        alike = [i for i, name in enumerate(plain) if name == label.casefold().replace("_", " ")]
        if label in given:
            numbers.append(list(given).index(label))
        elif len(alike) == 1:
            numbers.append(alike[0])
        elif label.isdecimal() and int(label) < len(given):
            numbers.append(int(label))
        else:
            near = difflib.get_close_matches(label, given, 3, 0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(given[:20])}"
            raise OvergenError(f"{path}: folder {label} is none of the {len(given)} classes; {hint}")
        if numbers[-1] in numbers[:-1]:
            other = found[numbers.index(numbers[-1])]
            raise OvergenError(
                f"{path}: folders {other} and {label} are both class {given[numbers[-1]]}; keep one name"
            )
    return numbers


def _parted(
    path: Path, pictures: Sequence[Picture], numbers: np.ndarray, classes: Sequence[str], known: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The positions of train and test pictures.

    known: whether the classes come from elsewhere. Raises OvergenError for a class that lacks what it needs, if not.
    """
    if any(picture.part for picture in pictures):
        parts = np.array([picture.part for picture in pictures])
        train, test = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test")
    else:
        names = [picture.name for picture in pictures]
        count = max(1, len(names) // 5)
        train, test = split(names, numbers, count, at_least=0 if known else 1)
    seen, tested = (set(numbers[part].tolist()) for part in (train, test))
    lacking, untested = sorted(tested - seen), sorted(seen - tested)
    if lacking and not known:
        named = ", ".join(classes[number] for number in lacking[:10])
        if any(picture.part for picture in pictures):
            raise OvergenError(f"{path}: class {named} has test pictures and none to train on; add some or remove it")
        raise OvergenError(f"{path}: class {named} has 1 picture(s); one to train on and one to test are needed")
    if not seen or not tested:
        raise OvergenError(f"{path}: {len(train)} train and {len(test)} test pictures; both are needed")
    if untested and not known:
        say(f"{path}: no test pictures of class {', '.join(classes[number] for number in untested[:10])}")
    seen |= tested
    if -1 not in seen and (absent := [name for i, name in enumerate(classes) if i not in seen]):
        say(f"{path}: no pictures of {len(absent)} of {len(classes)} classes, such as {', '.join(absent[:5])}")
    return train, test


def _read(
    path: Path,
    names: Sequence[str],
    open_file: Callable[[str], IO[bytes]],
    shape: Sequence[int] | None,
    options: dict[str, Any],
) -> np.ndarray:
    """(N, C, H, W) uint8, of the shape that is asked for, or that all have."""
    gray_at_last = False
    if shape is None:
        sizes: Counter[tuple[int, int]] = Counter()
        most = 1
        for name in names:
            with open_file(name) as file:
                size, channels = size_and_channels(file, f"{path}/{name}")
            sizes[size] += 1
            most = max(most, channels)
        if len(sizes) > 1:
            shown = ", ".join(f"{height} × {width} ({count})" for (height, width), count in sizes.most_common(5))
            height, width = sizes.most_common(1)[0][0]
            raise OvergenError(
                f"{path}: pictures of {len(sizes)} sizes, height × width (how many): {shown}"
                f"{', …' if len(sizes) > 5 else ''}; say to which all are brought, in params.yaml under `download` as "
                f"`shape: [{most}, {height}, {width}]` (1: gray, 3: RGB)"
            )
        shape, gray_at_last = (most, *next(iter(sizes))), most == 3
    images = np.empty((len(names), *shape), dtype=np.uint8)
    for i, name in enumerate(names):
        with open_file(name) as file:
            images[i] = read_picture(file, shape, name=f"{path}/{name}", **options)
    if gray_at_last and (images == images[:, :1]).all():  # in a colour form, without colour
        return np.ascontiguousarray(images[:, :1])
    return images
