"""The parts of Python, its standard library and ``nn.Module`` that models use."""
