"""Verified repairs: the smallest change of a written number after which the program works."""
