"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"psnr": ("denoiser", "restored_psnr*")}  # at the last level
SAYS = ("{psnr:.1f} dB restored at the last level",)
