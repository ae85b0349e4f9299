"""What people see in what fooled: their files are read as browsers and spreadsheets write them, counted and told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from browser import browser, installed
from overgen import OvergenError
from overgen.measures.intervals import mean_interval, wilson
from overgen.report.study import Study, read_study
from overgen.run.files import read_json
from overgen.run.results import Cell, parts
from overgen.stages.attack_scores import labelling
from overgen.stages.attack_scores.sheet import sheet
from overgen.stages.judge_by_eye import labels, report, summary
from overgen.stages.judge_by_eye import run as judge_by_eye
from overgen.stages.judge_by_eye.params import check
from report_study import BANDS, build, changed, plan_of

from made_up import example_cell
from processes import Run
from workspace import ROOT, set_params

ITEMS = [f"0a1b2c-{number:03}" for number in range(1, 7)]
ANSWERS = [*map(str, range(10)), "no class", "cannot tell"]
GIVEN = {ITEMS[0]: "3", ITEMS[1]: "no class", ITEMS[3]: "cannot tell", ITEMS[4]: "7"}
PAGE = "item,label,seconds\n" + "".join(f"{item},{answer},1.5\n" for item, answer in GIVEN.items())
PATH = Path("anna.csv")


def read(content: str | bytes) -> dict[str, str]:
    return labels.read_file(PATH, content.encode() if isinstance(content, str) else content, ITEMS, ANSWERS)


@pytest.mark.parametrize(
    "saved",
    [
        PAGE,
        PAGE.replace("\n", "\r\n"),
        PAGE.replace("\n", "\r"),
        "\ufeff" + PAGE.replace(",", ";").replace("\n", "\r\n").replace("1.5", "1,5"),  # Excel on a European machine
        "\ufeff" + PAGE.replace(",", "\t"),
        PAGE.replace(",1.5", ""),
        PAGE.rstrip("\n"),
        "\n,,\n" + PAGE.replace("\n", "\n\n") + ",,\n",
        PAGE.replace("item,label", '"Item","LABEL "').replace("no class", '"no class"').replace("7,", " 7 ,"),
        "".join(",".join(line.split(",")[::-1]) + "\n" for line in PAGE.splitlines()),
        PAGE + f"{ITEMS[2]},,\n{ITEMS[5]}\n",  # without an answer
    ],
)
def test_what_the_page_and_spreadsheets_save_is_read_alike(saved: str) -> None:
    assert read(saved) == GIVEN


@pytest.mark.parametrize("empty", ["", "\ufeff", "\n\n", ";;\r\n", "item,label,seconds\n", "\ufeffitem;label\r\n"])
def test_a_file_without_answers_is_one(empty: str) -> None:
    assert read(empty) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PAGE + "0a1b2c-007,3,1\n", "line 6: item '0a1b2c-007' is none of the sheet's 6 items, 0.*1 to 0.*6; remove"),
        (PAGE + "ffffff-003,3,1\n", "line 6: item 'ffffff-003' is of another sheet: .* begin with 0a1b2c.*Move it out"),
        (PAGE + ",3,1\n", "line 6: an answer without an item"),
        (PAGE + f"{ITEMS[1]},4,1\n", f"line 6: item '{ITEMS[1]}' stands in line 3 already"),
        (PAGE + f"{ITEMS[1]},,1\n", f"line 6: item '{ITEMS[1]}' stands in line 3 already"),
        (PAGE + "0a1b2c-003,10,1\n", "line 6: '10' of item '.*3' is no answer of the page, .*0, .*cannot tell; "),
        (PAGE + f"{ITEMS[2]},No class,1\n", "line 6: 'No class' of item"),
        (PAGE + f"{ITEMS[2]},1,5,3\n", "line 6: 4 fields, but the first row has 3 .item, label, seconds."),
        ("item,answer\n", "line 1: no columns `item` and `label` in 'item,answer'"),
        ("\n\n0a1b2c-001,3,1\n", "line 3: no columns `item` and `label`"),
        ("item,label,label\n", "line 1: column 'label' stands there twice"),
        ("item,label\n0a1b2c-001,\"3\n", "line 2: not CSV"),
        (f"item,label\n{ITEMS[0]},\"3\"x\n", "line 2: not CSV"),
        (PAGE.encode() + b"0a1b2c-003,Schn\xfcrschuh,1\n", "line 6: not UTF-8 .byte 0xfc.; save it as “CSV UTF-8”"),
        (PAGE.encode("utf-16"), "line 1: not UTF-8 .UTF-16."),
        (PAGE + f"{ITEMS[2]},\x00,1\n", "line 6: '\\\\x00' of item"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_file_and_line(content: str | bytes, said: str) -> None:
    with pytest.raises(OvergenError, match=f"(?s)^anna.csv, {said}"):
        read(content)


def test_each_file_is_a_person_and_what_is_no_answer_of_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    assert labels.read_all(folder, ITEMS, ANSWERS)[0] == []
    folder.mkdir()
    for name, content in {"Ben.CSV": PAGE.replace(",7,", ",8,"), "anna@home=1.csv": PAGE, "zoe.csv": "",
                          ".~lock.anna.csv#": "x", "~$anna.csv": "x", "ça va.csv": "item,label\n"}.items():  # fmt: skip
        (folder / name).write_text(content, encoding="utf-8")
    people, table = labels.read_all(folder, ITEMS, ANSWERS)
    assert people == ["Ben", "anna_home_1", "zoe", "ça va"]
    assert list(table["person"]) == ["Ben"] * 4 + ["anna_home_1"] * 4
    assert dict(zip(table["item"][4:], table["answer"][4:], strict=True)) == GIVEN
    (folder / "anna_home_1.csv").write_text("", encoding="utf-8")
    with pytest.raises(OvergenError, match=r"anna_home_1\.csv and .*anna@home=1\.csv: both are anna_home_1's"):
        labels.read_all(folder, ITEMS, ANSWERS)
    (folder / "anna_home_1.csv").rename(folder / "labels (2).csv")
    (folder / "labels (2).csv").write_text(PAGE, encoding="utf-8")
    with pytest.raises(OvergenError, match=r"labels \(2\)\.csv: the same to the byte as .*anna@home=1\.csv"):
        labels.read_all(folder, ITEMS, ANSWERS)
    (folder / "labels (2).csv").rename(folder / "anna.xlsx")
    with pytest.raises(OvergenError, match=r"anna\.xlsx: no CSV file"):
        labels.read_all(folder, ITEMS, ANSWERS)
    (folder / "anna.xlsx").unlink()
    (folder / "more.csv").mkdir()
    with pytest.raises(OvergenError, match=r"more\.csv: no CSV file"):
        labels.read_all(folder, ITEMS, ANSWERS)


def made_sheet(count: int = 40, seed: int = 0) -> pd.DataFrame:
    """A sheet of `count` images that fooled and as many test images."""
    draw = np.random.default_rng(seed)
    methods = ["softmax", "knn", "pca_pixels", "scaled_output_alpha20", "mine:Score"]
    held = {
        "real_image": draw.integers(0, 256, (count, 4, 4), np.uint8),
        "real_label": np.arange(count) % 10,
        "sheet_image": draw.integers(0, 256, (count, 4, 4), np.uint8),
        "sheet_method": draw.choice(methods, count),
        "sheet_target": draw.integers(0, 10, count),
        "sheet_not_of_class": draw.integers(0, 2, count),
    }
    found = sheet("mnist", {"cnn": held})
    assert found
    return found[1]


def answered(table: pd.DataFrame, people: Mapping[str, int], count: int | None = None) -> pd.DataFrame:
    """Answers of people who say the class, another class or something else at random. people: seeds by name."""
    parts = []
    for name, seed in people.items():
        draw = np.random.default_rng(seed)
        shown = table["target"].fillna(table["label"]).astype(int).astype(str)
        said = np.where(draw.random(len(table)) < 0.5, shown, draw.choice(ANSWERS, len(table)))
        parts.append(pd.DataFrame({"person": name, "item": table["item"], "answer": said})[:count])
    return pd.concat(parts, ignore_index=True)


def by_metric(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {row["metric"]: row for row in rows}
    assert len(found) == len(rows)
    return found


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_shares_and_agreement_are_those_of_cross_tables(seed: int) -> None:
    table, people = made_sheet(), {"anna": seed, "ben": seed + 1, "cem": seed + 2}
    judged = summary.answer_table(table, answered(table, people), ANSWERS)
    rows = by_metric(summary.rows(table, list(people), judged, 10))
    known = judged.merge(table[["item", "target"]].rename(columns={"target": "accepted"}), on="item")
    shown = known["accepted"].fillna(known["label"]).astype(int).astype(str)
    verdict = pd.Series("other", index=known.index).mask(known["answer"] == shown, "class")
    verdict = verdict.mask(known["answer"] == "no class", "none").mask(known["answer"] == "cannot tell", "unsure")
    shares = 100 * pd.crosstab([known["kind"], known["person"]], verdict, normalize="index")
    for said in summary.SAID:
        for kind in ("fooled", "real"):
            of = shares[said][kind] if said in shares else pd.Series(0.0, index=list(people))
            for person in people:
                row = rows[f"answers_{kind}@answer={said}@person={person}"]
                assert row["reproduced"] == pytest.approx(of[person])
                assert (row["low"], row["high"]) == pytest.approx(100 * np.array(wilson(round(of[person] * 0.4), 40)))
                assert row["n"] == 40
            row = rows[f"answers_{kind}@answer={said}"]
            own = [rows[f"answers_{kind}@answer={said}@person={person}"] for person in people]
            student = mean_interval(of.to_numpy(), bounds=(0, 100))
            assert row["reproduced"] == pytest.approx(of.mean())
            assert row["low"] == pytest.approx(min(student[0], np.mean([o["low"] for o in own])))
            assert row["high"] == pytest.approx(max(student[1], np.mean([o["high"] for o in own])))
            assert "over 3 people" in row["interval"]
    told = known[(known["kind"] == "fooled") & (verdict != "unsure")]
    no_class = verdict[told.index] != "class"
    for name, group in {"": told, **dict(iter(told.groupby("family")))}.items():
        for person, own in group.groupby("person"):
            key = f"@family={name}@person={person}" if name else f"@person={person}"
            cross = pd.crosstab(no_class[own.index], own["not_of_class"] == 1).reindex(
                index=[False, True], columns=[False, True], fill_value=0
            )
            assert (f"answers_agree{key}" in rows) == (len(own) >= 10)
            if len(own) >= 10:
                assert rows[f"answers_agree{key}"]["n"] == len(own)
                assert rows[f"answers_agree{key}"]["reproduced"] == pytest.approx(100 * np.trace(cross) / len(own))
                wanted = cohen_kappa_score(no_class[own.index], own["not_of_class"] == 1)
                assert rows[f"kappa{key}"]["reproduced"] == pytest.approx(wanted)


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_order_of_rows_and_files_gives_the_same(random: Any) -> None:
    table = made_sheet(12)
    texts = {
        person: [f"{item},{answer},2.0" for item, answer in zip(given["item"], given["answer"], strict=True)]
        for person, given in answered(table, {"anna": 1, "ben": 2, "cem": 3}, 20).groupby("person")
    }
    items = list(table["item"])

    def read_in(order: Callable[[list[str]], list[str]]) -> tuple[list[str], pd.DataFrame]:
        with TemporaryDirectory() as place:
            for person in order(list(texts)):
                (Path(place) / f"{person}.csv").write_text("\n".join(["item,label,seconds", *order(texts[person])]))
            people, given = labels.read_all(Path(place), items, ANSWERS)
        return people, summary.answer_table(table, given, ANSWERS)

    (people, first), (others, second) = read_in(list), read_in(lambda lines: random.sample(lines, len(lines)))
    assert people == others == ["anna", "ben", "cem"]
    pd.testing.assert_frame_equal(first, second)
    assert len(first) == 60


def test_who_answered_too_few_has_rows_and_does_not_count() -> None:
    table = made_sheet()
    some = pd.concat([answered(table, {"anna": 1}), answered(table, {"ben": 2}, 9)])
    judged = summary.answer_table(table, some, ANSWERS)
    rows = by_metric(summary.rows(table, ["anna", "ben", "cem"], judged, 10))
    assert (rows["people"]["reproduced"], rows["people"]["note"]) == (1, "")
    assert rows["answered@person=anna"]["note"] == ""
    assert rows["answered@person=ben"]["note"] == "71 of 80 without an answer; too few to count over people"
    assert (rows["answered@person=cem"]["reproduced"], rows["answered@person=cem"]["n"]) == (0, 80)
    assert rows["answers_real@answer=class@person=cem"]["reproduced"] is None
    for name, row in rows.items():
        if "person" not in parts(name) and name != "people":
            alone = rows.get(f"{name}@person=anna")
            if alone is not None:
                assert (row["reproduced"], row["low"]) == (alone["reproduced"], pytest.approx(alone["low"]))
                assert "one person: spread over people not measured" in row["interval"]
    assert not any(name.startswith("alpha") for name in rows)
    nobody = by_metric(summary.rows(table, ["ben"], judged[judged["person"] == "ben"], 10))
    assert nobody["people"]["note"] == "nobody answered 10 images of either kind"
    assert nobody["answers_fooled@answer=class"]["reproduced"] is None


@pytest.mark.parametrize(("fooled", "real", "counts"), [(10, 10, True), (9, 40, False), (40, 9, False)])
def test_a_person_counts_from_the_least_number_of_answers_of_either_kind(fooled: int, real: int, counts: bool) -> None:
    table = made_sheet()
    some = pd.concat([table[table["kind"] == kind][:n] for kind, n in (("fooled", fooled), ("real", real))])
    judged = summary.answer_table(table, answered(some, {"anna": 1}), ANSWERS)
    assert summary.rows(table, ["anna"], judged, 10)[0]["n"] == counts


def test_people_who_agree_in_full_are_no_surer_of_other_images() -> None:
    table = made_sheet()
    one = answered(table, {"anna": 1})
    judged = summary.answer_table(table, pd.concat([one, one.assign(person="ben")]), ANSWERS)
    rows = by_metric(summary.rows(table, ["anna", "ben"], judged, 10))
    both, alone = rows["answers_fooled@answer=class"], rows["answers_fooled@answer=class@person=ben"]
    assert (both["low"], both["high"]) == pytest.approx((alone["low"], alone["high"]))
    for kind in ("fooled", "real"):
        assert (rows[f"alpha@kind={kind}"]["reproduced"], rows[f"alpha@kind={kind}"]["interval"]) == (1, "none")


def test_families_are_what_a_score_looks_at() -> None:
    names = ["softmax", "knn_normalised", "pca_pixels", "scaled_output_alpha20", "confidence_alpha3", "mine:Score", ""]
    assert list(map(summary.family, names)) == ["logits", "features", "pixels", "outputs", "outputs", "own", ""]


def test_nobody_is_right_about_a_test_image_without_a_label() -> None:
    table = made_sheet()
    unlabelled = table["label"] == 3
    table.loc[unlabelled, "label"] = -1
    judged = summary.answer_table(table, answered(table, {"anna": 1}), ANSWERS)
    rows = by_metric(summary.rows(table, ["anna"], judged, 10))
    assert rows["answers_real@answer=class@person=anna"]["n"] == 40 - unlabelled.sum()
    assert rows["answered@person=anna"]["note"] == ""


# The stage, and the report.

MODELS = ("cnn", "dae_sym")


def made_cells(root: Path, dataset: str = "mnist", **options: Any) -> None:
    for model in MODELS:
        example_cell(root / "reports/cells", "attack_scores", model, dataset=dataset, **options)


def stage_of(dataset: str = "mnist") -> Any:
    values = {"openset_models": list(MODELS), "judge_by_eye.least": 3}
    return SimpleNamespace(item={"dataset": dataset, "model": "people"}, params=values.__getitem__,
                           cell=Path("reports/cells", dataset, "judge_by_eye/people"))  # fmt: skip


def page_of(root: Path, dataset: str = "mnist", models: tuple[str, ...] = MODELS) -> Study:
    """What the labelling page is drawn from."""
    folder = root / "reports/cells" / dataset / "attack_scores"
    cells = {model: Cell(dataset, "attack_scores", model, folder / model) for model in models}
    return cast(Study, SimpleNamespace(dataset=dataset, name=dataset, cells=lambda stage: cells))


def test_the_stage_reads_what_the_page_of_the_same_cells_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made_cells(tmp_path)
    judge_by_eye.main(stage_of())
    cell = Cell("mnist", "judge_by_eye", "people", stage_of().cell)
    rows = by_metric(cell.summary["metrics"])
    assert (rows["people"]["n"], rows["people"]["note"]) == (0, "nobody has judged yet")
    assert rows["answers_fooled@answer=class"] == rows["answers_fooled@answer=class"] | {
        "reproduced": None, "n": 0, "note": "nobody has judged yet",
    }  # fmt: skip
    assert list(cell.table("answers")) == list(summary.COLUMNS)
    found = labelling.sheet_of(page_of(tmp_path))
    assert found
    key = found[1]
    right = key["target"].fillna(key["label"]).astype(str)
    folder = tmp_path / "reports/labels/mnist"
    folder.mkdir(parents=True)
    file = folder / "anna.csv"
    pd.DataFrame({"item": key["item"], "label": right}).to_csv(file, index=False)
    judge_by_eye.main(stage_of())
    cell = Cell("mnist", "judge_by_eye", "people", stage_of().cell)
    rows = by_metric(cell.summary["metrics"])
    assert rows["answers_fooled@answer=class"]["reproduced"] == 100  # who sees each class as which it was accepted
    assert rows["answers_real@answer=class"]["reproduced"] == 100
    assert rows["answers_agree"]["reproduced"] == pytest.approx(100 * (key["not_of_class"] == 0).sum() / 10)
    told = cell.table("answers")
    assert list(told["item"]) == list(key["item"])
    assert set(told["said"]) == {"class"}
    assert list(told["method"].fillna("")) == list(key["method"])
    # the cells change: what was judged is another sheet
    made_cells(tmp_path, methods=["softmax"])
    before = file.read_bytes()
    with pytest.raises(OvergenError, match=r"mnist/anna\.csv, line 2: item '.*' is of another sheet"):
        judge_by_eye.main(stage_of())
    assert file.read_bytes() == before
    assert by_metric(read_json(stage_of().cell / "metrics.json")["metrics"]) == rows  # nothing is lost
    made_cells(tmp_path, fooled=dict.fromkeys(("softmax", "knn_normalised", "knn_pixels"), 0.0))
    with pytest.raises(OvergenError, match=r"anna\.csv: judged, but nothing fooled any score of mnist"):
        judge_by_eye.main(stage_of())
    file.unlink()
    judge_by_eye.main(stage_of())
    assert read_json(stage_of().cell / "metrics.json")["metrics"][0]["note"] == summary.NO_SHEET


def test_no_data_set_takes_the_place_of_peoples_files() -> None:
    check(SimpleNamespace(names=lambda key: ["mnist"]))
    with pytest.raises(ValueError, match="datasets: 'labels'"):
        check(SimpleNamespace(names=lambda key: ["mnist", "labels"]))


def study_with(root: Path, **options: Any) -> Study:
    """A made-up study of this stage alone."""
    example_cell(root / "reports/cells", "judge_by_eye", "people", **options)
    (root / "budgets").mkdir(exist_ok=True)
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    return read_study(plan_of({"judge_by_eye": {"people": {}}}), "mnist", root, bands=BANDS)


FOOLED = {"metric": "answers_fooled", "answer": "class", "person": "", "family": ""}
REAL = {"metric": "answers_real", "answer": "class", "person": ""}


def test_a_claim_is_told_at_the_borders_that_were_set(tmp_path: Path) -> None:
    study = study_with(tmp_path, people={"anna": 0.1, "ben": 0.2})

    def verdict(low: float, high: float, right: float) -> str:
        some = changed(changed(study, FOOLED, low=low, high=high), REAL, reproduced=right)
        claim = report.people_see_no_class(some)
        assert claim
        return claim.verdict

    assert verdict(10, 49.9, 90) == "holds"
    assert verdict(10, 50, 90) == "cannot tell"
    assert verdict(10, 49.9, 89.9) == "cannot tell"
    assert verdict(50.1, 90, 90) == "contradicted"
    assert verdict(50, 90, 90) == "cannot tell"
    assert verdict(50.1, 90, 89.9) == "cannot tell"
    claim = report.people_see_no_class(study)
    assert claim
    assert "2 people" in claim.number
    assert report.people_see_no_class(study_with(tmp_path)) is None
    assert report.people_see_no_class(study_with(tmp_path, people={"anna": 0.1}, answered=12)) is None
    alone = report.people_see_no_class(study_with(tmp_path, people={"anna": 0.1}))
    assert alone
    assert "1 person" in alone.number


def test_a_report_says_how_to_judge_until_somebody_did(tmp_path: Path) -> None:
    texts, plan = {}, plan_of({"judge_by_eye": {"people": {}}})
    for name, people in {"nobody": {}, "two": {"anna": 0.1, "ben": 0.2}}.items():
        study_with(tmp_path, people=people)
        output = build(tmp_path, plan)
        texts[name] = (output / "report.md").read_text(encoding="utf-8")
        claims = output / "claims.json"
        assert claims.is_file() == bool(people)
        assert not people or [claim["name"] for claim in read_json(claims)] == ["people_see_no_class"]
    assert "reports/labels/mnist/<anyone>.csv" in texts["nobody"]
    assert "**anna**" not in texts["nobody"]
    assert "| anna " in texts["two"]
    assert "| **all who count** " in texts["two"]
    assert "reports/labels/mnist/" not in texts["two"]


@pytest.mark.skipif(installed() is None, reason="no Chromium is installed")
def test_what_a_browser_saves_is_read_by_the_stage_without_change(
    tmp_path: Path, workspace: Path, run_stage: Run
) -> None:
    """A person presses keys on the page of made-up cells, saves, and the real stage counts."""
    set_params(workspace / "params.yaml", {"judge_by_eye.least": 2})
    example_cell(workspace / "reports/cells", "attack_scores", "dae_sym", dataset="digits")
    study = page_of(workspace, "digits", ("dae_sym",))
    found = labelling.sheet_of(study)
    assert found
    key = found[1]
    page = tmp_path / "label.html"
    page.write_text(labelling.pages(study)["label.html"], encoding="utf-8")
    folder = workspace / "reports/labels/digits"
    folder.mkdir(parents=True)
    (tmp_path / "profile").mkdir()
    pressed = []
    with browser(tmp_path / "profile") as shown:
        shown.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True)
        shown.open(page)
        for row in key.to_dict("records")[:-3]:
            key_of = "n" if row["kind"] == "fooled" and len(pressed) % 3 else "?" if len(pressed) % 5 == 0 else None
            pressed.append(key_of or str(row["label"] if row["kind"] == "real" else row["target"]))
            for kind in ("keyDown", "keyUp"):
                shown.call("Input.dispatchKeyEvent", type=kind, key=pressed[-1])
        assert shown.ask("document.getElementById('progress').textContent") == f"Image {len(key) - 2} of {len(key)}"
        shown.ask("document.getElementById('save').click()")
        while (message := shown.message()).get("params", {}).get("state") != "completed":
            assert message.get("params", {}).get("state") != "canceled"
    assert [path.name for path in folder.iterdir()] == ["labels_digits.csv"]
    run_stage(workspace, "judge_by_eye", model="people")
    cell = workspace / "reports/cells/digits/judge_by_eye/people"
    said = pd.read_csv(cell / "answers.csv", dtype=str)
    spelt = {"n": "no class", "?": "cannot tell"}
    assert list(said["answer"]) == [spelt.get(press, press) for press in pressed]
    assert list(said["item"]) == list(key["item"][:-3])
    rows = by_metric(read_json(cell / "metrics.json")["metrics"])
    assert rows["answered@person=labels_digits"]["note"] == f"3 of {len(key)} without an answer"
    for kind, part in said.groupby("kind"):
        unsure = (part["answer"] == "cannot tell").mean()
        assert rows[f"answers_{kind}@answer=unsure@person=labels_digits"]["reproduced"] == pytest.approx(100 * unsure)
