"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "people": ("judged_by_eye", "people", "n"),
    "seen": ("judged_by_eye", "answers_fooled@answer=class"),
    "right": ("judged_by_eye", "answers_real@answer=class"),
}
SAYS = (
    "people who judged: {people:.0f}",
    "of what fooled {seen:.1f} % is the class to them",
    "of test images {right:.1f} %",
)
