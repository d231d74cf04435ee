"""How many later normal rows an outlier detector flags, and how many it promised.

Part one, windows of a sensor. A load follows an autoregression with coefficient 0.99.
Four channels see it with noise. Windows are 30 steps long and start at every step. 3000
windows train, and 3000 later ones are scored. All are normal. The detector is fitted
without groups, with ten parts of time as groups, and with the last third as ``X_val``.
Parts are separated by 29 windows, so that no window overlaps with another part.

Part two, with ``--data outliers.npz``: the normal rows of tables. Half of them train,
the others are scored.

    python benchmarks/outlier_calibration.py --data outliers.npz

"promised" is the fraction of held-out rows below the threshold of
``contamination="auto"``. "later" is the fraction of later rows below it. "later, 5 %"
is the fraction of later rows below the 5 % quantile of the held-out scores.
"""

import argparse

import numpy as np
import pandas as pd
from quality import markdown
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.outliers import AutoencoderOutlierDetector

N_WINDOWS, WIDTH, N_PARTS = 3000, 30, 10


def windows(seed):
    """Return windows to learn from, and later ones."""
    rng = np.random.default_rng(seed)
    n_steps = 2 * (N_WINDOWS + WIDTH - 1)
    load, steps = np.zeros(n_steps), rng.standard_normal(n_steps)
    for t in range(1, n_steps):
        load[t] = 0.99 * load[t - 1] + np.sqrt(1 - 0.99**2) * steps[t]
    noise = 0.1 * rng.standard_normal((n_steps, 4))
    channels = load[:, None] * [1, 0.8, -0.5, 0.3] + noise
    found = np.lib.stride_tricks.sliding_window_view(channels, WIDTH, axis=0)
    found = found.transpose(0, 2, 1).reshape(-1, 4 * WIDTH)
    scaler = StandardScaler().fit(found[:N_WINDOWS])
    return scaler.transform(found[:N_WINDOWS]), scaler.transform(found[-N_WINDOWS:])


def ways(X):
    """Yield names, training rows and what else ``fit`` gets."""
    yield "no groups", X, {}
    parts, places = np.divmod(np.arange(len(X)), len(X) // N_PARTS)
    apart = places >= WIDTH - 1
    yield "groups", X[apart], {"groups": parts[apart]}
    last = 2 * len(X) // 3
    yield "X_val", X[: last - WIDTH + 1], {"X_val": X[last:]}


def shares(detector, later):
    """Return the promised and the found fractions below the thresholds."""
    held_out, scores = detector.held_out_scores_, detector.score_samples(later)
    return {
        "promised": (held_out < detector.offset_).mean(),
        "later": (scores < detector.offset_).mean(),
        "later, 5 %": (scores < np.quantile(held_out, 0.05)).mean(),
    }


def detector_of(is_linear, seed):
    linear = AutoencoderTransformer(0.9, hidden_layer_sizes=())
    return AutoencoderOutlierDetector(linear if is_linear else None, random_state=seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="the file of tables")
    parser.add_argument("--linear", action="store_true", help="no network")
    arguments = parser.parse_args()
    records = []
    for seed in range(5):
        X, later = windows(seed)
        for way, rows, given in ways(X):
            detector = detector_of(arguments.linear, seed).fit(rows, **given)
            found = {"way": way, "seed": seed} | shares(detector, later)
            records.append(found)
            print(found, flush=True)
    table = pd.DataFrame(records)
    table = table.set_index("way")
    means = table.drop(columns="seed").groupby("way", sort=False).mean()
    ratios = (table["later"] / table["promised"]).groupby("way", sort=False)
    means["least ratio"], means["largest ratio"] = ratios.min(), ratios.max()
    print(markdown(means.round(3)))
    if not arguments.data:
        return
    tables = np.load(arguments.data)
    records = []
    for name in sorted(name for name in tables.files if name.endswith("_X")):
        X = tables[name][tables[f"{name[:-2]}_y"] == 0].astype(np.float64)
        order = np.random.RandomState(0).permutation(len(X))
        train, later = X[order[: len(X) // 2]], X[order[len(X) // 2 :]]
        scaler = StandardScaler().fit(train)
        train, later = scaler.transform(train), scaler.transform(later)
        detector = detector_of(arguments.linear, 0).fit(train)
        number = detector_of(arguments.linear, 0).set_params(contamination=0.05)
        found = shares(detector, later)
        found["later, contamination=0.05"] = (
            number.fit(train).predict(later) == -1
        ).mean()
        records.append({"table": name[:-2]} | found)
        print(records[-1], flush=True)
    table = pd.DataFrame(records).set_index("table")
    table.loc["mean"] = table.mean()
    print(markdown(table.round(3)))


if __name__ == "__main__":
    main()
