"""What the command line offers beside the stages of the pipeline (level 5)."""
