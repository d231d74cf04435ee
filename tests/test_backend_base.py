"""Every engine gives the results of a training loop written by hand in NumPy."""

import keras
import numpy as np
from conftest import dense_spec, on_grid

from skae._backends import HyperParameters, OptimizerSpec, engine, networks
from skae._data import Batch, InMemoryLoader, Scaling, Split
from skae._losses import Objective
from skae._losses.reconstruction import Reconstruction
from skae._training import Phase, Schedule, TrainingData, train

SCHEDULE = Schedule(3, learning_rate=1e-2, decays=True, tol=0.0, n_iter_no_change=3)


def engine_of(spec, optimizer="adam"):
    """Return the engine of a network that minimises the squared error."""
    objective = Objective.of((Reconstruction,), {"loss": "mean_squared_error"}, spec)
    return engine(spec, objective, OptimizerSpec.of(optimizer)[0])


def training_data(trainer, rows, split, batch_size, alpha):
    """Return the training data of rows that are scaled already."""
    scaling = Scaling.none(rows.shape[1])
    loader = InMemoryLoader.of(Batch(rows), scaling, batch_size, trainer.place)
    hyper = HyperParameters(((),), alpha=np.float32(alpha))
    return TrainingData(loader, split, hyper, batch_size, len(split.train[-1]))


class Adam:
    """Kingma & Ba (2015), with Keras' default constants."""

    def __init__(self):
        self.steps, self.moments = 0, {}

    def step(self, weights, gradients, rate):
        self.steps += 1
        for name, gradient in gradients.items():
            first, second = self.moments.get(name, (0.0, 0.0))
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            self.moments[name] = first, second
            correction = np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
            weights[name] = weights[name] - rate * correction * first / (
                np.sqrt(second) + 1e-7
            )


def loss_and_gradients(w, x, alpha):
    """Return the squared error and its gradients, derived by hand.

    The encoder is z = Wx + b + C tanh(Hx + h). The decoder has the same form.
    """
    hidden = np.tanh(x @ w["eh"] + w["ehb"])
    z = x @ w["el"] + w["elb"] + hidden @ w["ec"]
    back = np.tanh(z @ w["dh"] + w["dhb"])
    y = z @ w["dl"] + w["dlb"] + back @ w["dc"]
    loss = np.square(y - x).mean()
    dy = 2 * (y - x) / x.size
    dback = (dy @ w["dc"].T) * (1 - back**2)
    dz = dy @ w["dl"].T + dback @ w["dh"].T
    dhidden = (dz @ w["ec"].T) * (1 - hidden**2)
    gradients = {
        "dl": z.T @ dy,
        "dlb": dy.sum(0),
        "dc": back.T @ dy + alpha * w["dc"],
        "dh": z.T @ dback + alpha * w["dh"],
        "dhb": dback.sum(0),
        "el": x.T @ dz,
        "elb": dz.sum(0),
        "ec": hidden.T @ dz + alpha * w["ec"],
        "eh": x.T @ dhidden + alpha * w["eh"],
        "ehb": dhidden.sum(0),
    }
    return loss, gradients


def test_training_equals_a_loop_in_numpy(digits):
    rows = on_grid((digits - digits.mean(axis=0)) / 4)[:150]
    spec = dense_spec(64, 5, (12,), "tanh")
    trainer, models = engine_of(spec), networks(spec)
    # All weights are random. At PCA some gradients consist of rounding errors only, and
    # Adam turns these into steps of full length.
    rng = np.random.default_rng(0)
    weights = {
        side: (
            [
                rng.normal(scale=0.2, size=variable.shape).astype(np.float32)
                for variable in getattr(models, side).trainable_variables
            ],
            [],
        )
        for side in ("encoder", "decoder")
    }
    layers = [
        f"{layer.name}/{variable.name}"
        for layer in models.encoder.layers
        for variable in layer.trainable_variables
    ]
    assert sorted(layers) == [
        "correction/kernel",
        "hidden_0/bias",
        "hidden_0/kernel",
        "linear/bias",
        "linear/kernel",
    ]
    names = [
        {"hidden_0": "h", "linear": "l", "correction": "c"}[layer.split("/")[0]]
        + ("b" if layer.endswith("bias") else "")
        for layer in layers
    ]
    by_hand = {
        side[0] + name: value.astype(np.float64)
        for side in ("encoder", "decoder")
        for name, value in zip(names, weights[side][0], strict=True)
    }

    alpha, batch_size = 1e-3, 32  # 120 rows: the last batch has 24
    order = np.random.RandomState(1).permutation(len(rows))
    split = Split([order[30:]], [order[:30]], np.arange(150), 150)
    data = training_data(trainer, rows, split, batch_size, alpha)
    phases = [Phase(data, SCHEDULE), Phase(data.for_encoder(), SCHEDULE)]
    result = train(trainer, weights, phases, np.random.RandomState(2))

    rng, curve, validation = np.random.RandomState(2), [], []
    held_out = rows[split.held_out[0]].astype(float)
    for phase in phases:
        adam, of_encoder = Adam(), phase is not phases[0]
        for epoch in range(3):
            rng.randint(2**32, dtype=np.uint32)
            if of_encoder:  # four times as many rows, in four times larger batches
                (block,) = phase.data.loader.shuffled(split.train[0], 480, rng)
                seen = np.asarray(block.rows.input)[:480].astype(float)
                batches = np.split(seen, range(128, 480, 128))
            else:
                seen = rows[rng.permutation(split.train[0])].astype(float)
                batches = np.split(seen, range(batch_size, 120, batch_size))
            total = 0.0
            for batch, rate in zip(
                batches, SCHEDULE.rates(epoch, len(batches)), strict=True
            ):
                penalty = 0 if of_encoder else alpha
                loss, gradients = loss_and_gradients(by_hand, batch, penalty)
                if of_encoder:
                    gradients = {n: g for n, g in gradients.items() if n[0] == "e"}
                adam.step(by_hand, gradients, rate)
                total += loss * len(batch)
            curve.append(total / len(seen))
            validation.append(loss_and_gradients(by_hand, held_out, 0)[0])

    np.testing.assert_allclose(result.history.loss_curve, curve, rtol=1e-5)
    np.testing.assert_allclose(
        result.history.validation_loss_curve, validation, rtol=1e-5
    )
    assert validation[-1] == min(validation)
    for side in ("encoder", "decoder"):
        for name, value in zip(names, result.weights[side][0], strict=True):
            expected = by_hand[side[0] + name]
            np.testing.assert_allclose(value, expected, atol=2e-5)


def test_a_frozen_decoder_does_not_decay(digits):
    rows = on_grid((digits - digits.mean(axis=0)) / 4)[:96]
    spec = dense_spec(64, 5, (12,), "tanh")
    trainer = engine_of(spec, keras.optimizers.AdamW(1e-2, weight_decay=0.1))
    models = networks(spec)
    weights = {
        side: (
            [
                np.full(variable.shape, 0.01, np.float32)
                for variable in getattr(models, side).trainable_variables
            ],
            [],
        )
        for side in ("encoder", "decoder")
    }
    split = Split([np.arange(64)], [np.arange(64, 96)], np.arange(96), 96)
    data = training_data(trainer, rows, split, 32, 0.0).for_encoder()
    phases = [Phase(data, SCHEDULE)]
    found = train(trainer, weights, phases, np.random.RandomState(0), keep_start=False)
    for side, changes in (("encoder", True), ("decoder", False)):
        pairs = zip(found.weights[side][0], weights[side][0], strict=True)
        assert all(np.array_equal(after, before) != changes for after, before in pairs)
