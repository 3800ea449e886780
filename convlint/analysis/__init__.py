"""Analyses of a graph for rules and reports: queries, costs, diagnosis of disagreements, contracts of classes."""
