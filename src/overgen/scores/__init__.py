"""Open-set scores, one method a file: how much an input looks like what a method was fitted on.

Every score keeps one contract:

- The constructor takes the method's options, by keyword.
- `fit(x)` or `fit(x, labels)` learns from known inputs and returns the fitted object. x: (N, D) float array of pixels,
  features (the top hidden layer) or logits, as the method says; labels: (N,) integers.
- `score(x)` gives (N,) float64, **larger = more in-distribution**, for inputs of the same width. A row's score does not
  depend on the rows beside it: alone, in any batch and in any order it is the same up to rounding.
- `predict(x)` gives (N,) class numbers; only methods have it that decide on the class themselves. The others gate the
  class of the network whose features or logits they judge.
- `state()` gives all that was learnt as a dict of arrays, and the class method `from_state(state)` the same object
  again, so that a fitted score is an npz file.
- NaN or infinity raises ValueError naming the row, another width or number of labels one naming the shapes.

The three lines of a user:

    from overgen.scores.knn import NearestNeighbours
    known = NearestNeighbours(neighbours=5).fit(train_pixels)
    scores = known.score(test_pixels)
"""
