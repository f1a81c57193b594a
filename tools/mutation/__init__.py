"""Mutation tests of what decides: do the tests notice when a line of it is changed? By hand, with ``make mutants``."""
