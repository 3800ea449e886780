"""Run mode: build a model, record one real forward, measure it. The only package that imports torch."""
