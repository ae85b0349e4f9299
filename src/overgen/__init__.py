"""overgen: overgeneralisation of neural classifiers, reproduced, measured and extended."""
