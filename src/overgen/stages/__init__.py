"""One module for each stage of dvc.yaml: read the declared inputs, call the library, write the declared outputs."""
