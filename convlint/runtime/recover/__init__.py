"""Continue after failing calls, so that one run finds every error."""
