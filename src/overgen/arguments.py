"""Arguments of the command line, checked and completed before anything heavy is imported: torch, pandas, DVC."""

from __future__ import annotations

import difflib
import importlib.util
import json
import math
import re
import struct
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from overgen import OvergenError

RANGES = {  # of options of `overgen fool` that are numbers: the least and the largest, and whether these may be taken
    "alpha": (0.0, math.inf, True),
    "tau": (0.0, 1.0, False),
    "rate": (0.0, math.inf, False),
    "decay": (0.0, 1.0, True),
    "blur": (0.0, math.inf, True),
    "clip": (0.0, 100.0, True),
}
PACKAGED = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")  # of the extra `imagenet`
NETWORK_FILES = (".pt2", ".pt", ".pth", ".ts", ".onnx", ".safetensors", ".joblib", ".pkl", ".pickle")
STRANGERS = ("weights", "network", "shape", "mean", "std", "scale", "outputs", "output_key", "unsafe_pickle")
STARTS = ("noise", "mean")  # of `overgen fool`, beside picture files


def near(name: str, known: Iterable[str]) -> str:
    """What a name that is not known may have meant: "; did you mean …?", all that is known where that is little."""
    choices = list(dict.fromkeys(known))
    alike = difflib.get_close_matches(name, choices, 3, 0.5) or [each for each in choices if name in each][:3]
    if alike:
        return f"; did you mean {' or '.join(alike)}?"
    return f"; there are {', '.join(choices)}" if 0 < len(choices) <= 20 else ""


def trained_cells() -> list[str]:
    """The cells that have a trained network of seed 0 here, or an adopted one, as "mnist/cnn"."""
    files = (
        path for name in ("seed0.safetensors", "adopted.json") for path in Path("models").glob(f"*/networks/*/{name}")
    )
    return sorted(f"{path.parts[1]}/{path.parts[3]}" for path in files)


def from_elsewhere(on: str) -> bool:
    """Whether a network's name says that overgen did not train it: a file, torchvision's, or of a package."""
    kinds = on.startswith("torchvision/"), on in PACKAGED, ".py:" in on, Path(on).suffix in NETWORK_FILES
    return any(kinds)


def check_from_elsewhere(on: str, weights: Path | None, module: str | None) -> None:
    """Raise OvergenError for a network from elsewhere whose files can be told to be missing, or whose name is none."""
    group, _, name = on.partition("/")
    if group == "torchvision":
        names = torchvision_classifiers()
        if names and name not in names:
            raise OvergenError(f"{on}: torchvision has no such classifier{near(name, names)}")
    elif ".py:" not in on and on not in PACKAGED and not Path(on).is_file():
        raise OvergenError(f"{on}: missing; a network is a file, a cell, torchvision/<name> or {', '.join(PACKAGED)}")
    if weights is not None and not weights.is_file():
        raise OvergenError(f"{weights}: missing; --weights names a state dictionary, of torch.save or safetensors")
    for text in (module, on if ".py:" in on else None):
        if text is not None and not Path(text.rpartition(":")[0]).is_file():
            raise OvergenError(f"{text}: {text.rpartition(':')[0] or 'FILE'} is missing; it must be FILE.py:CLASS")


def numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """The numbers in "0.1,0.2,0.3", or one alone. Raises OvergenError naming the option for anything else."""
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise OvergenError(f"{option} {text}: must be a number, or one for each channel: 0.485,0.456,0.406") from error
    if not all(map(math.isfinite, values)):
        raise OvergenError(f"{option} {text}: numbers must be finite")
    return values


def open_options(
    *,
    network: str | None = None,
    shape: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    output_key: str | None = None,
    unsafe_pickle: bool | None = None,
    **same: Any,
) -> dict[str, Any]:
    """Options of the command line as `adopted.open_network` takes them, without those that were not given.

    same: those that are called alike there. Raises OvergenError for numbers that cannot be read.
    """
    options = same | {
        "module": network,
        "shape": whole_numbers(shape, "--shape", "CHANNELS,HEIGHT,WIDTH"),
        "mean": numbers(mean, "--mean"),
        "std": numbers(std, "--std"),
        "output": output_key,
        "unsafe_pickle": unsafe_pickle,
    }
    return {name: value for name, value in options.items() if value is not None}


def constructor_options(texts: Iterable[str]) -> dict[str, Any]:
    """Options KEY=VALUE by key, values as YAML has them. Raises OvergenError for one without a key or a value."""
    from overgen.run.yaml_files import read_document

    options = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key.isidentifier() or not value:
            raise OvergenError(f"--option {text}: must be KEY=VALUE, such as width=16")
        options[key] = read_document("--option", value).values
    return options


def whole_numbers(text: str | None, option: str, form: str) -> tuple[int, ...] | None:
    """The whole numbers in "3,224,224", as many as `form` has, such as "CHANNELS,HEIGHT,WIDTH"."""
    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if len(parts) != len(form.split(",")) or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise OvergenError(
            f"{option} {text}: must be {form}, such as {','.join(['3', '224', '224'][-len(form.split(',')) :])}"
        )
    return tuple(map(int, parts))


def metadata(path: Path) -> dict[str, Any]:
    """What a safetensors file of overgen's says of itself; empty where it cannot be read so."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            return dict(json.loads(json.loads(file.read(length))["__metadata__"]["overgen"]))
    except (OSError, struct.error, ValueError, KeyError, TypeError):
        return {}


def check_cell(cell: str) -> None:
    """Raise OvergenError unless a cell such as "mnist/cnn" has a trained network here."""
    if cell not in (cells := trained_cells()):
        made = maker(cell)
        hint = f" yet; `overgen reproduce {made}` makes them" if made else near(cell, cells)
        raise OvergenError(
            f"cell {cell!r}: no trained weights{hint} (`dvc repro` trains, `dvc pull` fetches; run from the "
            "repository's root)"
        )


def maker(cell: str) -> str:
    """The target of `overgen reproduce` that trains or adopts the network of "mnist/mine"; "" if there is none here."""
    from overgen.run import pipeline

    dataset, _, model = cell.partition("/")
    if not Path("dvc.yaml").is_file() or not Path("params.yaml").is_file():
        return ""
    values = pipeline.read_yaml(Path("params.yaml"))[0]
    for stage, entry in pipeline.read_stages().items():
        for item in pipeline.cells_of(entry, values):
            made = pipeline.filled(entry, item)["outs"]
            if f"models/{dataset}/networks/{model}" in made and pipeline.belongs(item, values):
                return pipeline.address(stage, entry, item)
    return ""


@cache
def torchvision_classifiers() -> list[str]:
    """The names of torchvision's classifiers, read from its source; empty where that has another form."""
    spec = importlib.util.find_spec("torchvision")
    folder = Path(((spec and spec.submodule_search_locations) or ["."])[0]) / "models"
    found: set[str] = set()
    for path in folder.glob("*.py"):
        found.update(re.findall(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)\(", path.read_text("utf-8"), re.MULTILINE))
    return sorted(found)


def networks() -> list[str]:
    """What `overgen fool --on` takes."""
    return [*trained_cells(), *PACKAGED, *(f"torchvision/{name}" for name in torchvision_classifiers())]


def check_fool(start: str, to: str, on: str, output: Path, *, smallest: bool, **given: Any) -> None:
    """Raise OvergenError for arguments of `overgen fool` that can be told to be wrong without torch.

    given: of `check_options`.
    """
    check_options(on, start, smallest=smallest, **given)
    if output.suffix != ".png" or output.is_dir():
        raise OvergenError(f"{output}: must be a file whose name ends in .png")
    if not output.parent.is_dir():
        raise OvergenError(f"{output}: there is no folder {output.parent}; make it first, or name another with -o")
    if from_elsewhere(on):
        check_from_elsewhere(on, given["weights"], given["network"])
    else:
        check_cell(on)
        check_class(on, to)
    if start not in STARTS:
        if not Path(start).is_file():
            raise OvergenError(f"{start}: missing; give a picture file, or `noise` or `mean`")
        from overgen.data.reader import decoded

        decoded(start)


LIMITS = {"max-fooled": 100.0, "min-accuracy": 100.0, "max-ece": 1.0, "min-auroc": 1.0}  # of `overgen audit`: largest


def check_audit(
    subject: str,
    *,
    data: Path | None,
    on: str | None,
    unknown: Path | None,
    tau: float,
    weights: Path | None,
    network: str | None,
    limits: Mapping[str, float | None],
) -> None:
    """Raise OvergenError for arguments of `overgen audit` that can be told to be wrong without torch."""
    if (data is None) == (on is None):
        raise OvergenError("give the pictures that the network is for: either --data FOLDER or --on mnist")
    check_from_elsewhere(subject, weights, network)
    for option, path in (("data", data), ("unknown", unknown)):
        if path is not None and not path.expanduser().exists():
            raise OvergenError(f"--{option} {path}: missing")
    if not 0 < tau < 1:
        raise OvergenError(f"--tau {tau:g}: must be a number above 0 and below 1")
    for name, value in limits.items():
        if value is not None and not 0 <= value <= LIMITS[name]:
            raise OvergenError(f"--{name} {value:g}: must be a number from 0 to {LIMITS[name]:g}")


def check_class(cell: str, to: str) -> None:
    """Raise OvergenError for a class that the network of a cell does not have, as far as the files here tell."""
    dataset, _, model = cell.partition("/")
    count = metadata(Path("models", dataset, "networks", model, "seed0.safetensors")).get("network", {}).get("classes")
    places = (Path("data", dataset), Path(".overgen/data", dataset))
    names: list[str] = next(
        (known for place in places if (known := metadata(place / "tensors.safetensors").get("classes"))), []
    )
    if to in names or (to.isdecimal() and count is not None and int(to) < count):
        return
    if names or (to.isdecimal() and count is not None):
        last = count if count is not None else len(names)
        shown = f"; a number from 0 to {last - 1}" + (f", or one of {', '.join(names)}" if names else "")
        raise OvergenError(f"--to {to!r}: {cell} has no such class{near(to, names) if len(names) > 20 else shown}")


def addresses() -> list[str]:
    """The targets of `overgen reproduce`: stages of dvc.yaml, and their cells such as fool_fgn@mnist-cnn."""
    from overgen.run import pipeline

    values = pipeline.read_yaml(Path("params.yaml"))[0]
    found: list[str] = []
    for stage, entry in pipeline.read_stages().items():
        cells = pipeline.cells_of(entry, values)
        found += dict.fromkeys([stage, *(pipeline.address(stage, entry, cell) for cell in cells)])
    return found


def check_targets(targets: Iterable[str]) -> None:
    """Raise OvergenError for a target that is no stage, no cell and no file."""
    asked = [target for target in targets if "/" not in target and ":" not in target and not Path(target).exists()]
    known = addresses() if asked else []
    for target in asked:
        if target not in known:
            raise OvergenError(f"{target}: no stage and no cell of dvc.yaml{near(target, known)}")


def options_of(texts: Iterable[str]) -> dict[str, Any]:
    """Options such as "slurm_partition=gpu" by name, with values as YAML reads them.

    Raises OvergenError for a text without "=" and for a name that is given twice.
    """
    from overgen.run.yaml_files import YamlFault, read_document

    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise OvergenError(f"--option {text}: must be key=value, such as slurm_partition=gpu")
        if name in options:
            raise OvergenError(f"--option {name}: is given twice")
        try:
            options[name] = read_document("--option", value).values
        except YamlFault as error:
            raise OvergenError(f"--option {name}: {error.problem} (found {value})") from error
    return options


def datasets() -> list[str]:
    """The data sets that have cells here."""
    return sorted(path.name for path in Path("reports/cells").glob("*/") if path.is_dir())


def check_datasets(names: Iterable[str]) -> None:
    """Raise OvergenError for a data set that has no cells here, unless params.yaml names it."""
    from overgen.run.pipeline import read_yaml

    known = datasets()
    for name in names:
        if name not in known and name not in (named := read_yaml(Path("params.yaml"))[0].get("datasets") or []):
            raise OvergenError(f"{name}: no data set that has cells here{near(name, [*known, *named])}")


def check_options(on: str, start: str, *, smallest: bool, **given: Any) -> None:
    """Raise OvergenError for an option that is out of its range, or would have no part in what was asked for.

    on, start, smallest: of `overgen fool`. given: by name alpha, tau, rate, decay, blur, blur_every, clip, seed, invert
    and those of `STRANGERS`, None where they were not given.
    """
    for name, (low, high, ends) in RANGES.items():
        value = given[name]
        if value is None or low < value < high or (ends and value in (low, high) and math.isfinite(value)):
            continue
        upper = "" if high == math.inf else f" {'to' if ends else 'and below'} {high:g}"
        raise OvergenError(f"--{name} {value:g}: must be a number {'from' if ends else 'above'} {low:g}{upper}")
    stranger = from_elsewhere(on)
    no_steps = (smallest, "--smallest has no updates that it could change")
    idle = {
        "alpha": (stranger, "a network that overgen did not train has no c̃"),
        **dict.fromkeys(STRANGERS, (not stranger, f"{on} has its own; it is for networks that overgen did not train")),
        "seed": (start != "noise", f"nothing is drawn for the start {start}"),
        "invert": (start in STARTS, f"no picture is read for the start {start}"),
        "blur_every": (not given["blur"], "there is no --blur"),
        "rate": no_steps,
        "decay": no_steps,
        "blur": no_steps,
        "clip": no_steps,
    }
    for name, (without_part, reason) in idle.items():
        if without_part and given[name] is not None:
            raise OvergenError(f"--{name.replace('_', '-')}: {reason}; leave it out")
