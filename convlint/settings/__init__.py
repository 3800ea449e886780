"""What the user asked for: configuration files, targets, inputs, and which files a folder stands for."""
