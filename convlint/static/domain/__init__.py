"""The values, objects and facts about numbers that the interpreter computes with, and the record of an execution."""
