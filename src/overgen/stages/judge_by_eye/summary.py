"""What `judge_by_eye` makes of people's answers: a table of them, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overgen.measures.agreement import MISSING, cohens_kappa, krippendorffs_alpha
from overgen.measures.intervals import Interval, mean_interval, wilson
from overgen.run import results
from overgen.scores.names import FITTED, OF_OUTPUTS
from overgen.stages.attack_scores.sheet import CANNOT_TELL, NO_CLASS

EXPERIMENT = "judged_by_eye"
FOOLED, REAL = "fooled", "real"  # kinds of images
THE_CLASS, OTHER, NONE, UNSURE = SAID = ("class", "other", "none", "unsure")  # what an answer says of an image
NO_SHEET = "nothing fooled: there is no page to judge on"
NOBODY = "nobody has judged yet"
COLUMNS = ("person", "item", "kind", "model", "method", "family", "target", "label", "not_of_class", "answer", "said")
Measured = tuple[float, Interval] | None  # a value and its interval over images; None where there is no value
People = Mapping[str, pd.DataFrame]  # some rows of `answer_table` by person


def answer_table(sheet: pd.DataFrame, given: pd.DataFrame, answers: Sequence[str]) -> pd.DataFrame:
    """A row an answer: what was shown, the family of the score that it fooled, and what the answer says of it.

    sheet: of `attack_scores.sheet`; given: of `labels.read_all`; answers: what can be answered, classes first. Columns:
    `COLUMNS`. said: class, where the answer is the class as which the image was accepted, or the label of a test image.
    """
    table = given.merge(sheet, on="item", how="left", validate="many_to_one")
    numbers = {name: number for number, name in enumerate(answers) if name not in (NO_CLASS, CANNOT_TELL)}
    wanted = table["target"].fillna(table["label"])
    right = (table["answer"].map(numbers).astype("Int64") == wanted).fillna(False).to_numpy(bool)
    others = [(table["answer"] == answer).to_numpy(bool) for answer in (NO_CLASS, CANNOT_TELL)]
    said = np.select([*others, right], [NONE, UNSURE, THE_CLASS], OTHER).astype(object)
    return table.assign(said=said, family=table["method"].map(family))[list(COLUMNS)]


def family(method: str) -> str:
    """What of an image a score looks at: outputs (ỹ, c̃), logits, features or pixels; own, of a score of one's own."""
    name = method.partition("_alpha")[0]
    if name in FITTED:
        return FITTED[name].view
    return "outputs" if name in OF_OUTPUTS else "own" if name else ""


def rows(sheet: pd.DataFrame | None, people: Sequence[str], table: pd.DataFrame, least: int) -> list[dict[str, Any]]:
    """The rows of the cell: of each person, and, without a person, of all who count.

    sheet: of `attack_scores.sheet`; people: everybody who has a file; table: of `answer_table`; least: answers of
    either kind of image with which a person counts, and images with which a family of scores does.
    Test images without a label are left out: nobody can be right about them.
    """
    given = table["person"].value_counts()
    table = table[(table["kind"] == FOOLED) | (table["label"] >= 0)]
    every = {person: table[table["person"] == person] for person in people}
    counted = {p: some for p, some in every.items() if all((some["kind"] == k).sum() >= least for k in (FOOLED, REAL))}
    too_few = f"nobody answered {least} images of either kind"
    why = NO_SHEET if sheet is None else "" if counted else too_few if every else NOBODY
    made = [results.row(EXPERIMENT, "people", len(counted), unit="people", n=len(counted), note=why)]
    if sheet is not None:
        made += [answered(person, int(given.get(person, 0)), len(sheet), person in counted) for person in people]
    for measure in MEASURES:
        made += measured(measure, every, counted, why)
    for name in sorted(set(table["family"]) - {""}):
        of_family = {person: some[some["family"] == name] for person, some in every.items()}
        for measure in (measure for measure in MEASURES if measure.by_family):
            enough = {p: some for p, some in of_family.items() if len(measure.images(some)) >= least}
            counts = {person: some for person, some in enough.items() if person in counted}
            made += measured(measure, enough, counts, f"nobody who counts answered {least} images", family=name)
    return made + ([alike(kind, counted) for kind in (FOOLED, REAL)] if len(counted) > 1 else [])


def answered(person: str, count: int, of: int, counts: bool) -> dict[str, Any]:
    """How many images a person answered."""
    notes = [f"{of - count} of {of} without an answer"] * (count < of) + ["too few to count over people"] * (not counts)
    key = results.metric("answered", person=person)
    return results.row(EXPERIMENT, key, count, unit="images", n=of, note="; ".join(notes))


class Measure(NamedTuple):
    """What is measured of a person's answers.

    name, keys: of the metric; images: the rows that it is of; value: of these rows; interval: of what kind; by_family:
    whether also of the scores of each family.
    """

    name: str
    keys: Mapping[str, str]
    unit: str
    images: Callable[[pd.DataFrame], pd.DataFrame]
    value: Callable[[pd.DataFrame], Measured]
    interval: str = "Wilson"
    by_family: bool = False

    def metric(self, **further: str) -> str:
        return results.metric(self.name, **self.keys, **further)


def of_kind(kind: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table[table["kind"] == kind]


def told(table: pd.DataFrame) -> pd.DataFrame:
    """Images that fooled and of which a person says what they show."""
    return table[(table["kind"] == FOOLED) & (table["said"] != UNSURE)]


def share_of(said: str) -> Callable[[pd.DataFrame], Measured]:
    return lambda table: share(table["said"] == said)


def share(hits: pd.Series) -> Measured:
    """A share in percent, with Wilson's interval; of nothing there is none."""
    if not len(hits):
        return None
    count, n = int(hits.sum()), len(hits)
    low, high = wilson(count, n)
    return 100 * count / n, (100 * low, 100 * high)


def judged_alike(table: pd.DataFrame) -> Measured:
    """How often a person and the judge that took no part agree on whether an image is of the class."""
    return share((table["said"] != THE_CLASS) == (table["not_of_class"] == 1))


def kappa_of(table: pd.DataFrame) -> Measured:
    return cohens_kappa((table["said"] != THE_CLASS).to_numpy(bool), (table["not_of_class"] == 1).to_numpy(bool))


MEASURES = (
    *(
        Measure(f"answers_{kind}", {"answer": said}, "percent", of_kind(kind), share_of(said),
                by_family=(kind, said) == (FOOLED, THE_CLASS))
        for kind in (FOOLED, REAL) for said in SAID
    ),
    Measure("answers_agree", {}, "percent", told, judged_alike, by_family=True),
    Measure("kappa", {}, "fraction", told, kappa_of, "large-sample or Wilson, the wider,", by_family=True),
)  # fmt: skip


def measured(measure: Measure, every: People, counted: People, why: str, **keys: str) -> list[dict[str, Any]]:
    """The row of all who count, then one a person. why: what is said where nobody counts."""
    of = {person: measure.images(some) for person, some in every.items()}
    alone = {person: measure.value(some) for person, some in of.items()}
    images = len(set().union(*(of[person]["item"] for person in counted)))
    values = [found for person, found in alone.items() if person in counted and found is not None]
    undefined = "not defined: one and the same answer to all, or none"
    made = [joint(measure, values, images, undefined if counted else why, **keys)]
    for person, found in alone.items():
        n, (value, interval) = len(of[person]), found or (None, None)
        kind = f"95 % {measure.interval} over {n} images"
        note = "" if found else undefined
        key = measure.metric(**keys, person=person)
        made.append(
            results.row(EXPERIMENT, key, value, unit=measure.unit, n=n, interval=interval, kind=kind, note=note)
        )
    return made


def joint(
    measure: Measure, values: Sequence[tuple[float, Interval]], images: int, why: str, **keys: str
) -> dict[str, Any]:
    """The mean over people, whose interval is Student's but no narrower than the mean of their own over images.

    They judge the same images, so that more people say no more of other images. why: what is said where there is none.
    """
    key = measure.metric(**keys)
    if not values:
        return results.row(EXPERIMENT, key, None, unit=measure.unit, n=images, note=why)
    numbers = [value for value, _ in values]
    own = np.mean([interval for _, interval in values], axis=0)
    ends = [own, *filter(None, [mean_interval(numbers, bounds=BOUNDS[measure.unit])])]
    low, high = (float(pick(end[i] for end in ends)) for i, pick in enumerate((min, max)))
    kind = f"95 % {measure.interval} over {images} images; one person: spread over people not measured"
    if len(values) > 1:
        kind = (f"95 % t interval over {len(values)} people, no narrower than the mean of theirs over {images} images "
                f"({measure.interval})")  # fmt: skip
    value = float(np.mean(numbers))
    return results.row(EXPERIMENT, key, value, unit=measure.unit, n=images, interval=(low, high), kind=kind)


BOUNDS = {"percent": (0.0, 100.0), "fraction": (-1.0, 1.0)}


def alike(kind: str, counted: People) -> dict[str, Any]:
    """How far those who count agree with each other on all answers to a kind of images, as Krippendorff's α."""
    table = pd.concat([of_kind(kind)(some) for some in counted.values()])
    categories = {answer: number for number, answer in enumerate(sorted(set(table["answer"])))}
    wide = table.assign(number=table["answer"].map(categories)).pivot(index="item", columns="person", values="number")
    value, interval, n = krippendorffs_alpha(wide.fillna(MISSING).to_numpy(int))
    note = "not defined: one and the same answer to all, or no image that two answered" if value is None else ""
    note = "they agree on all images" if value == 1 else note
    return results.row(
        EXPERIMENT, results.metric("alpha", kind=kind), value, unit="fraction", n=n, interval=interval, note=note,
        kind=f"95 % bootstrap over {n} images, of {len(counted)} people",
    )  # fmt: skip
