#!/usr/bin/env bash
# onnxruntime's global and reducing maximum drop NaN; its max pooling keeps it
#
# Guess: NaN goes through every kind of maximum, as in numpy and torch: a network that meets one answers NaN.
# What happens: MaxPool keeps it, GlobalMaxPool and ReduceMax leave it out and ArgMax passes over it, so that
#   the answer is a number like any other. Averages, ReLU and softmax keep it.
# Why it matters: The same network answers NaN in torch and a finite score as an exported program. A check for
#   NaN in the outputs, the usual guard of an attack or an evaluation, does not see it.
# Where: onnxruntime 1.32.0, the CPU kernels of GlobalMaxPool, ReduceMax and ArgMax.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[@]}"
fi

cat > "$folder/check.py" <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

print({name: version(name) for name in ["onnxruntime", "onnx", "numpy"]})
x = np.ones((1, 1, 4, 4), np.float32)
x[0, 0, 1, 1] = np.nan


def run(operator, kind=TensorProto.FLOAT, **attributes):
    """One operator as a program, run on an image of ones with one NaN."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])]
    outputs = [helper.make_tensor_value_info("y", kind, None)]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], **attributes)], "one", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    print(f"{operator}: {found.ravel().tolist()}")
    return found


print("numpy's maximum of the whole:", x.max(), "its argmax of each row:", x.argmax(3).ravel().tolist())
pooled = run("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
whole, rows = run("GlobalMaxPool"), run("ReduceMax", axes=[3])
average, first = run("GlobalAveragePool"), run("ArgMax", TensorProto.INT64, axis=3)
checks = {
    "MaxPool gives NaN for the window that holds it": np.isnan(pooled).sum() == 1,
    "GlobalMaxPool of the same image gives 1": whole.ravel().tolist() == [1.0],
    "ReduceMax of its rows gives 1 four times": rows.ravel().tolist() == [1.0] * 4,
    "ArgMax of the row with NaN is 0, numpy's is 1": first.ravel()[1] == 0 and x.argmax(3).ravel()[1] == 1,
    "GlobalAveragePool gives NaN": bool(np.isnan(average).all()),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
