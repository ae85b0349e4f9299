"""How a stage runs: files, parameters, devices, members, tracking. Knows no science."""
