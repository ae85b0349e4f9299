"""People's files: what each answered on the page `label.html`, read from reports/labels/<data set>/<anyone>.csv.

The page saves `item,label,seconds` with commas. Spreadsheets save the same with semicolons or tabs, a byte order mark,
other line ends and empty rows: all of it is read. What cannot be meant is refused by file, line and value; nothing is
ever changed or left out in silence.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from overgen import OvergenError

LABELS = Path("reports/labels")
COLUMNS = ("item", "label")  # others are not looked at
DELIMITERS = ",;\t"
SHOWN = 15  # answers named in an error, at most


def read_all(folder: Path, items: Sequence[str], answers: Sequence[str]) -> tuple[list[str], pd.DataFrame]:
    """What people answered: their names, and a row an answer with columns person, item, answer.

    folder: of the data set's files, there or not; items: of the sheet; answers: what can be answered.
    A person is called by the name of the file, in which all but letters, digits, spaces and .-_ becomes _. People come
    in the order of their names, answers in that of the sheet, whatever that of the rows. Hidden files, and those with ~
    in front, which editors leave, are passed over.
    Raises OvergenError for anything else that is no CSV, two files of one person, and what `read_file` raises.
    """
    files = [path for path in folder.iterdir() if path.name[0] not in ".~"] if folder.is_dir() else []
    people: dict[str, Path] = {}
    contents: dict[bytes, Path] = {}
    rows: list[tuple[str, str, str]] = []
    for path in sorted(files, key=lambda path: path.name):
        if not path.is_file() or path.suffix.lower() != ".csv":
            raise OvergenError(f"{path}: no CSV file; this folder holds what people saved on the page, <anyone>.csv")
        person = name_of(path)
        if person in people:
            raise OvergenError(f"{path} and {people[person]}: both are {person}'s; give one of them another name")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise OvergenError(f"{path}: {error.strerror}; make it readable, or move it out of this folder") from error
        given = read_file(path, content, items, answers)
        if given and content in contents:
            raise OvergenError(
                f"{path}: the same to the byte as {contents[content]}, and nobody counts twice; remove one of them"
            )
        people[person] = contents[content] = path
        rows += [(person, item, given[item]) for item in items if item in given]
    table = pd.DataFrame(rows, columns=["person", "item", "answer"], dtype=object)
    return sorted(people), table.sort_values("person", kind="stable", ignore_index=True)


def name_of(path: Path) -> str:
    """A person's name as metrics and tables can take it."""
    name = unicodedata.normalize("NFC", path.stem)
    return "".join(c if c.isalnum() or c in " .-_" else "_" for c in name).strip() or "_"


def read_file(path: Path, content: bytes, items: Sequence[str], answers: Sequence[str]) -> dict[str, str]:
    """The answers of one file by item. path: for errors; content: its bytes. Items without an answer are left out.

    Raises OvergenError, with the line, for text that is not UTF-8 or not CSV, a column that is missing or there twice,
    an item of another sheet, an unknown one, one that comes twice, a row longer than the first, and an answer that the
    page does not have.
    """
    given: dict[str, str] = {}
    lines: dict[str, int] = {}
    known, allowed = set(items), set(answers)
    for line, item, answer in rows_of(path, text_of(path, content)):
        if item not in known:
            raise OvergenError(f"{path}, line {line}: {unknown(item, items)}")
        if item in lines:
            raise OvergenError(
                f"{path}, line {line}: item {item!r} stands in line {lines[item]} already; leave the row that holds"
            )
        lines[item] = line
        if answer and answer not in allowed:
            named = ", ".join(answers[:SHOWN]) + (f" and {len(answers) - SHOWN} more" if len(answers) > SHOWN else "")
            raise OvergenError(
                f"{path}, line {line}: {answer!r} of item {item!r} is no answer of the page, which has {named}; "
                "correct it, or leave it empty"
            )
        if answer:
            given[item] = answer
    return given


def unknown(item: str, items: Sequence[str]) -> str:
    """What is wrong with an item that the sheet does not have, and the way out."""
    digest = items[0].partition("-")[0]
    if re.fullmatch(r"[0-9a-f]{6}-\d{3,}", item) and not item.startswith(f"{digest}-"):
        return (
            f"item {item!r} is of another sheet: those of this data set begin with {digest}. What fooled has changed "
            "since it was judged, or the file is another data set's. Move it out of this folder, draw the report, and "
            "judge its label.html; or bring the cells of attack_scores back that were judged"
        )
    what = f"item {item!r} is none" if item else "an answer without an item is none"
    return f"{what} of the sheet's {len(items)} items, {items[0]} to {items[-1]}; remove the row"


def text_of(path: Path, content: bytes) -> str:
    """The text of a file in UTF-8, with a byte order mark or without. Raises OvergenError for any other."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        kind = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else f"byte 0x{content[error.start]:02x}"
        raise OvergenError(f"{path}, line {line}: not UTF-8 ({kind}); save it as “CSV UTF-8”") from error


def rows_of(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """The line, item and answer of each row, without the spaces around them; empty rows are left out."""
    lines = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    first = next(((number, line) for number, line in lines if line.strip(f" {DELIMITERS}")), None)
    if first is None:
        return
    delimiter, header = header_of(path, *first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    places = [header.index(name) for name in COLUMNS]
    try:
        for row in reader:
            fields = [field.strip() for field in row]
            if reader.line_num <= first[0] or not any(fields):
                continue
            if any(fields[len(header) :]):
                raise OvergenError(
                    f"{path}, line {reader.line_num}: {len(fields)} fields, but the first row has {len(header)} "
                    f"({', '.join(header)}); put what holds a {delimiter!r} between quotation marks"
                )
            item, answer = ((fields[place] if place < len(fields) else "") for place in places)
            if item or answer:
                yield reader.line_num, item, answer
    except csv.Error as error:
        raise OvergenError(f"{path}, line {reader.line_num}: not CSV ({error}); save it anew") from error


def header_of(path: Path, number: int, line: str) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns in small letters. Raises OvergenError where one is not there once.

    line: the first that is not empty, of that number.
    """
    for delimiter in DELIMITERS:
        try:
            (row,) = csv.reader([line], delimiter=delimiter)
        except csv.Error:
            continue
        header = [field.strip().lower() for field in row]
        if set(COLUMNS) <= set(header):
            break
    else:
        raise OvergenError(
            f"{path}, line {number}: no columns `item` and `label` in {line!r:.80}; the first row that the page writes "
            "is `item,label,seconds`"
        )
    if twice := [name for name in COLUMNS if header.count(name) > 1]:
        raise OvergenError(f"{path}, line {number}: column {twice[0]!r} stands there twice; remove one of them")
    return delimiter, header
