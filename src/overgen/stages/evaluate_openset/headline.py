"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "f_measure": ("open_set", "f_measure@known=4"),
    "auroc": ("open_set", "auroc@known=4"),
}
SAYS = ("of 4 known classes F {f_measure:.3f} at τ {f_measure.tau:g}", "AUROC {auroc:.3f}")
