"""What a model is called with: given inputs, inputs found by trying, and which sizes work."""
