"""Training rows that are made from training rows, and what they do to a model."""

from skpapers.augmentation._adversarial import adversarial_accuracy
from skpapers.augmentation._mixup_theory import mixup_loss, mixup_regularization
from skpapers.augmentation._mixup_wrapper import MixupWrapper

__all__ = ["MixupWrapper", "adversarial_accuracy", "mixup_loss", "mixup_regularization"]
