"""Run one cell of a stage: `python -m overgen.run fool_fgn --dataset digits --model cnn`."""

from __future__ import annotations

import sys
import warnings


def main() -> int:
    """Run `sys.argv[1:]`: a cell, or `recorder` (see overgen.run.tracking). Returns the exit status."""
    if sys.argv[1:2] == ["recorder"]:
        from overgen.run import recorder

        return recorder.main(sys.argv[2:])
    from overgen.run.warm import end_with_driver

    end_with_driver()  # first: imports take a second
    # Lightning's, wherever SLURM is installed: a cell on a login node, or started by a scheduler, needs no srun.
    warnings.filterwarnings("ignore", "The `srun` command is available on your system but is not used")
    from overgen.run.stage import command

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
