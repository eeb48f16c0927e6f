"""What networks of several topics share.

A method adds only what is its own. `tests/_torch/_toys.py` has two complete examples.

==================================  ==================================================================================
The method's own                    Where it goes
==================================  ==================================================================================
what a row is                       `_inputs`: `Columns`, `Windows`, `Images` of `inputs.py`, or `ImageRows`
what is predicted                   `_target`: a `Target` of `targets.py`
the network                         `_build`: a module with the members of `Network` in `networks.py`
more arrays for each row            `fit` gives them to `_fit` as `extra` of `Given`; a step finds them in `batch.extra`
objective, gradient, step, rate     `_objective`, `_gradient`, `_update`, `_schedule`: functions of `steps.py` and
                                    `schedules.py`, made for a `Run`; what they remember is `run.memory`
batch normalisation, dropout        `_modes`: `Modes` of `modes.py`
parameters                          those of `NetworkEstimator`, groups such as `_stopping_constraints`, and its own
==================================  ==================================================================================

From bottom to top: layers and optimisers (`modules.py`, `scaling_layers.py`, `optimizers.py`, `flat.py`), one epoch
(`training.py`) and the steps in it (`steps.py`, `mixup.py`, `sam.py`), statistics of rows (`scaling.py`, `running.py`,
`scaled_columns.py`), the state of a model (`setup.py`, `fitted.py`), and the estimators (`network_base.py`,
`supervised_base.py`, `network_classifier.py`, `network_regressor.py`).
"""
