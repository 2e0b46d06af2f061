"""Benchmarks: plans of many training runs, their results as JSON lines, and tables of them."""
