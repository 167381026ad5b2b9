"""From a recipe to the files that a box runs from: packages, root file system, disk, kernel, images."""
