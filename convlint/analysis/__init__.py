"""What rules ask of a graph: queries, costs, diagnosis of conflicts, contracts of classes."""
