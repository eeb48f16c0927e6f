"""Networks of the package: one mini-batch loop, stacked modules, replaceable steps."""
