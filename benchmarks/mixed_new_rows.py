"""
Tables of several kinds: how good generated rows are.

Half of the rows of a table train a generator, which generates as many rows. The other
half are real rows that it has not seen.

- Gradient boosting learns the target from generated rows and is tested on real rows.
  The figure is its area under the ROC curve, beside that of learning from the rows that
  trained the generator.
- Gradient boosting learns to tell generated rows from real ones, with cross-validation.
  An area under the ROC curve of 0.5 is the best for the generator.

    python benchmarks/mixed_new_rows.py --data mixed/

The contenders are a Gaussian copula, which has normal scores of ranks and their
correlations, and TVAE (Xu et al. 2019) if the package ctgan is installed. "skae,
mixture" draws codes from a mixture of ten normal distributions, the others of skae from
one.
"""

import argparse

import numpy as np
import pandas as pd
from mixed_labels import TARGETS
from mixed_tables import run, tables
from quality import markdown
from scipy.stats import norm, rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.tables import TableEncoder, sample_table

MOST_ROWS = 2000


class GaussianCopula:
    """Normal scores of each column, with equal values in random order."""

    def fit(self, table):
        rng = np.random.default_rng(0)
        self.table = table
        ranks = [rankdata(self._codes(name)) for name in table]
        ranks = [rank + rng.uniform(-0.5, 0.5, len(rank)) for rank in ranks]
        scores = norm.ppf(np.transpose(ranks) / (len(table) + 1) + 1e-6)
        self.correlations = np.corrcoef(np.nan_to_num(scores, posinf=4, neginf=-4).T)
        return self

    def sample(self, n_rows, seed):
        rng = np.random.default_rng(seed)
        means = np.zeros(len(self.correlations))
        drawn = rng.multivariate_normal(means, self.correlations, n_rows)
        columns = {}
        for name, places in zip(self.table, norm.cdf(drawn).T, strict=True):
            order = np.argsort(self._codes(name), kind="stable")
            rows = order[(places * len(order)).astype(int)]
            columns[name] = self.table[name].iloc[rows].reset_index(drop=True)
        return pd.DataFrame(columns)

    def _codes(self, name):
        column = self.table[name]
        codes = column if column.dtype.kind == "f" else column.cat.codes
        return codes.to_numpy()


class TVAE:
    """The variational autoencoder for tables of the package ctgan, by its defaults.

    It does not know which columns have whole numbers. These are rounded.
    """

    def fit(self, table):
        import ctgan
        import torch

        torch.manual_seed(0)
        self.dtypes = table.dtypes
        numbers = table.select_dtypes("number")
        self.whole = numbers.columns[(numbers % 1 == 0).all()]
        categories = list(table.select_dtypes("category"))
        self.model = ctgan.TVAE(enable_gpu=False)
        self.model.fit(table.astype(dict.fromkeys(categories, object)), categories)
        return self

    def sample(self, n_rows, seed):
        self.model.set_random_state(seed)
        rows = self.model.sample(n_rows)
        rows[self.whole] = rows[self.whole].round()
        return rows.astype(self.dtypes)


class Generator:
    """An autoencoder of skae behind a TableEncoder."""

    def __init__(self, autoencoder):
        self.pipeline = make_pipeline(TableEncoder(), autoencoder)

    def fit(self, table):
        self.pipeline.fit(table)
        return self

    def sample(self, n_rows, seed):
        return sample_table(self.pipeline, n_rows, random_state=seed)


class RealRows:
    """The rows that train the generators: what generated rows can be at best."""

    def fit(self, table):
        self.table = table
        return self

    def sample(self, n_rows, seed):
        return self.table.sample(n_rows, random_state=seed, replace=True)


def contenders(n_features):
    """Return the generators by name."""
    k = min(16, n_features)
    mixture = GaussianMixture(10, reg_covar=1e-3, random_state=0)
    return {
        "real rows": RealRows(),
        "Gaussian copula": GaussianCopula(),
        "TVAE": TVAE(),
        "FAMD": Generator(AutoencoderTransformer(k, hidden_layer_sizes=())),
        "skae": Generator(AutoencoderTransformer(k, random_state=0)),
        "skae, mixture": Generator(
            AutoencoderTransformer(k, density=mixture, random_state=0)
        ),
        "skae, variational": Generator(
            VariationalAutoencoderTransformer(k, random_state=0)
        ),
    }


def boosting():
    return HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=50, random_state=0
    )


def area(classifier, X, y):
    """Return the area under the ROC curve, the mean over pairs of classes.

    A class of which there were no generated rows has no chance.
    """
    known, labels = classifier.classes_, np.unique(y)
    if len(known) < 2:
        return 0.5
    chances = pd.DataFrame(classifier.predict_proba(X), columns=known)
    chances = chances.reindex(columns=labels, fill_value=0.0).to_numpy()
    if len(labels) == 2:
        return roc_auc_score(y == labels[1], chances[:, 1])
    return roc_auc_score(y, chances, multi_class="ovo", labels=labels)


def study(options):
    """Yield a record of each table and generator."""
    for name, table in tables(options.data):
        if name not in TARGETS:
            continue
        target, left_out = TARGETS[name]
        table = table.drop(columns=left_out).dropna()[:MOST_ROWS]
        table = table.apply(
            lambda c: c.cat.remove_unused_categories() if c.dtype.kind != "f" else c
        )
        train, test = train_test_split(
            table, test_size=0.5, stratify=table[target], random_state=0
        )
        n_numbers = TableEncoder().fit_transform(train).shape[1]
        n_features = n_numbers - (train.dtypes == "category").sum()
        for contender, generator in contenders(n_features).items():
            if options.contenders and contender not in options.contenders:
                continue
            try:
                generator.fit(train)
            except ImportError:
                continue
            made = generator.sample(len(train), 0)
            learnt = boosting().fit(made.drop(columns=target), made[target].astype(str))
            both = pd.concat([made, test[: len(made)]], ignore_index=True).astype(
                train.dtypes
            )
            is_real = np.arange(len(both)) >= len(made)
            told = cross_val_score(boosting(), both, is_real, scoring="roc_auc", cv=3)
            yield {
                "table": name,
                "generator": contender,
                "target": area(
                    learnt, test.drop(columns=target), test[target].astype(str)
                ),
                "real or generated": told.mean(),
            }


def report(records):
    """Print both figures of each table and generator, and their means."""
    records = records.set_index(["table", "generator"])
    for measure in records:
        wide = records[measure].unstack("generator")
        wide = wide[[name for name in contenders(2) if name in wide]]
        wide.loc["mean"] = wide.mean()
        print(f"\n{measure}\n\n{markdown(wide.round(3))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contenders", nargs="+", help="all by default")
    run(parser, study, report)
