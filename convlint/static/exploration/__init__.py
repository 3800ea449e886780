"""The executions of a file: its entry points, the arguments to try, and the paths through each."""
