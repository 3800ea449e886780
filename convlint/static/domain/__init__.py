"""What the interpreter computes with: values, objects, facts about numbers, the state of an execution."""
