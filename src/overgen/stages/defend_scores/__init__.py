"""Open-set scores with a defence, under attacks that know it."""
