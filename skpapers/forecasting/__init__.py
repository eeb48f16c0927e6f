"""Forecasts of a domain with few series, helped by a domain with many, and the windows that they are made of."""

from skpapers.forecasting._daf_forecaster_estimator import DAFForecaster
from skpapers.forecasting._forecast_display import AlignmentDisplay, ForecastDisplay
from skpapers.forecasting._forecast_metrics import normalized_deviation, nrmse
from skpapers.forecasting._make_windows import make_windows

__all__ = [
    "AlignmentDisplay",
    "DAFForecaster",
    "ForecastDisplay",
    "make_windows",
    "normalized_deviation",
    "nrmse",
]
