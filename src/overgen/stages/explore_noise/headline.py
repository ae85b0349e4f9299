"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "called": ("noise", "called_a_class@uniform@score=y"),
    "scaled": ("noise", "called_a_class@uniform@score=scaled"),
    "volume": ("volume", "log_volume@score=scaled"),
}
SAYS = (
    "y calls {called} of uniform noise a class",
    "ỹ {scaled}",
    "the volume that ỹ accepts is 10^{volume:.1f} of the cube",
)
