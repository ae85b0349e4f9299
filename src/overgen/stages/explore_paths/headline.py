"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "rise": ("paths", "distance_rise@way=pixels@pairs=across"),
    "sure": ("paths", "middle_sure@way=pixels@pairs=across"),
}
SAYS = (
    "half-way between two classes in pixels the data are {rise:+.2f} farther than at the ends",
    "the classifier is sure of {sure} of these images",
)
