"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "smoothed": ("defended_scores", "area_change@method=scaled_output*@defence=smoothed@direction=accept@norm=l2"),
    "ensemble": ("defended_scores", "area_change@method=scaled_output*@defence=ensemble@direction=accept@norm=l2"),
    "adversarial": (
        "defended_scores",
        "area_change@method=scaled_output*@defence=adversarial@direction=accept@norm=l2",
    ),
    "confirmed": ("defended_scores", "confirmed_within"),
}
SAYS = (
    "ỹ under attack, area in L2 balls: smoothed {smoothed:+.1f} percentage points",
    "an ensemble {ensemble:+.1f}",
    "trained further {adversarial:+.1f}",
    "{confirmed.hits} of {confirmed.n} certificates broken",
)
