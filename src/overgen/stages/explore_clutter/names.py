"""How ways to see a picture are written in reports."""

WAYS = {"whole": "whole", "places": "sum over places", "true": "true mask", "found": "found mask"}
OF_CANVASES = WAYS | {"true": "sum, true masks", "found": "sum, found masks"}
COLOURS = {"whole": "#3b3b3b", "places": "#56b4e9", "true": "#029e73", "found": "#d55e00"}
