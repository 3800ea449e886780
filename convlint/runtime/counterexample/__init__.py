"""Confirm latent findings by building a class with other arguments and running it."""
