"""Several tasks in one network: gradients that conflict are corrected before they are summed."""

from skpapers.multitask._combine_gradients import combine_gradients

__all__ = ["combine_gradients"]
