"""Simulated measurement campaigns: which samples to measure, judged on films whose images are all known."""
