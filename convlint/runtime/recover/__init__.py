"""What cannot work is replaced, so that one run finds every error."""
