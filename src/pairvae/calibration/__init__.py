"""What a pair learned from few samples is corrected in closed form, on its training pairs alone.

Each step predicts left-out training pairs, compares a statistic with its target and sets one knob of the model.
"""
