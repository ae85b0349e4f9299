"""Open-set scores, one method a file: how much an input looks like what a method was fitted on.

Every score keeps one contract, a user's own too:

- The constructor takes the method's options, by keyword, and refuses impossible ones with a ValueError.
- `fit(x, labels)` learns from known inputs and returns the fitted object. x: (N, D) float array of pixels, features
  (the top hidden layer) or logits, as the method says; labels: (N,) integers, any numbers. A further `fit` leaves
  nothing of an earlier one behind: it is as that of a new object.
- Any number of classes will do, one too, and a class of one example; any width; fewer rows than columns or classes.
  What a method cannot be fitted on (fewer rows than neighbours, fewer columns than components, a class of one example
  where its own density is asked for) raises ValueError, in one line that names both numbers.
- `score(x)` gives (N,) float64, **larger = more in-distribution**, for inputs of the same width. A row's score does not
  depend on the rows beside it: alone, in any batch and in any order it is the same up to rounding. It is never NaN.
- `predict(x)` gives (N,) class numbers; only methods have it that decide on the class themselves. The others gate the
  class of the network whose features or logits they judge.
- `state()` gives options and all that was learnt as a dict of arrays, and the class method `from_state(state)` the same
  object again, so that a fitted score is an npz file.
- Before `fit`, `score`, `predict` and `state` raise OvergenError naming the method and the way out.
- NaN or infinity raises ValueError naming the row, another width or number of labels one naming the shapes.

`Fitted` (`overgen.scores.fitted`) is a base that keeps the parts of it that are alike. The three lines of a user:

    from overgen.scores.knn import NearestNeighbours
    known = NearestNeighbours(neighbours=5).fit(train_pixels)
    scores = known.score(test_pixels)
"""
