"""The learner's box and the machines beside it: how one starts, which there are, and how they know of each other."""
