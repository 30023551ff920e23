"""What the types have in common whose answers are lists of labelled objects: boxes, polygons, tracks and so on."""
