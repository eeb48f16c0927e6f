"""Texts that the docstrings of all networks share, see `filled_docstring`."""

NETWORK_PARTS: dict[str, str] = {
    "early_stopping_classes": """
    early_stopping : bool, default=False
        Hold rows back, end training when their accuracy no longer improves, and keep the weights of the best
        epoch. Of little use on small tables: the rows held back are missing.
    """,
    "early_stopping_numbers": """
    early_stopping : bool, default=False
        Hold rows back, end training when their loss no longer improves, and keep the weights of the best epoch.
        Of little use on small tables: the rows held back are missing.
    """,
    "validation": """
    validation_fraction : float, default=0.1
        Share of the rows held back for `early_stopping`.

    validation_split : {"last", "random"}, default="last"
        Which rows are held back: the last ones, so that rows in the order of time are judged by what came
        later, or random ones.
    """,
    "tol": """
    tol : float, default=0.0001
        An improvement of the validation score is larger than this.
    """,
    "scaling": """
    scaling : {"robust", "standard"} or None, default="robust"
        The first, fixed layer. "robust": median and interquartile range, so that raw columns work. Columns
        whose quartiles are equal (flags, many zeros), or whose 1st and 99th percentiles are more than 10
        interquartile ranges apart, go to the normal quantiles of their ranks instead, linearly between at most
        256 values. Then a smooth clip at 3. "standard": mean and standard deviation. None: X as it is.
    """,
    "labels": """
    label_smoothing : float, default=0.0
        Share of each label that is spread over all classes.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied by `sample_weight`. "balanced" means W / (K W_k) for K classes of
        weight W_k and W in all.

    calibration : {"auto", "temperature"} or None, default="auto"
        "temperature" moves the logits toward those of the class frequencies by the factor 1 / `temperature_`, fitted
        on rows that a second network does not see: see the Notes of :class:`SAMMLPClassifier`. "auto" does so for fewer
        than 10000 training rows, and with `early_stopping` for any number. None sets `temperature_` to 1 and saves the
        second network. Callbacks see the network before its temperature, and neither they nor `verbose` report the
        second one.
    """,
    "loss": """
    loss : {"squared_error", "absolute_error", "huber", "quantile"}, default="squared_error"
        Of the standardised target, averaged over the outputs. "huber" is quadratic up to 1.35 scales of the
        target, which are then robust ones.

    quantile : float, default=0.5
        The quantile predicted, for `loss="quantile"`.
    """,
    "training_device": """
    dtype : {"float32", "float64"}, default="float32"
        Of training; predictions are computed in float64.

    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to train; "auto" is a GPU if torch finds one. A model trained there predicts anywhere.
    """,
    "fitted_losses": """
    loss_curve_ : list of float
        Mean training loss of each epoch, over rows and members.

    loss_ : float
        The last of them.
    """,
    "fitted_scores_classes": """
    validation_scores_ : list of float or None
        Accuracy of the rows held back after each epoch, with `early_stopping`. The temperature does not enter it.
    """,
    "fitted_scores_numbers": """
    validation_scores_ : list of float or None
        Minus the loss of the rows held back, of the standardised target, after each epoch, with `early_stopping`.
    """,
    "fitted_end": """
    best_iter_ : int or None
        The epoch whose weights were kept, counted from 1.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the input had them.
    """,
}
