"""
A table of flats: two codes, and gaps filled in
===============================================

The table has numbers, categories, booleans and gaps. This example reduces it to two
codes by factor analysis of mixed data (FAMD) and by an autoencoder that also learns
from labels. Then it fills in missing values.
"""

# %%
# The table
# ---------
# The flats are made up. The district decides how old and how tall houses are. Age
# decides the heating. The rent depends on all of these. A flat is let within a week if
# its rent is low for what it is. 4 % of the values are missing.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patheffects import withStroke
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.impute import AutoencoderImputer
from skae.tables import TableEncoder

rng = np.random.default_rng(0)
N_FLATS = 800
DISTRICTS = pd.DataFrame(
    {
        "built": [1905, 1965, 1985, 2012],
        "deviation": [12, 8, 12, 6],
        "floors": [5, 12, 2, 8],
        "price": [15, 9, 11, 17],
    },
    index=["Old Town", "Northside", "Gardens", "Harbour"],
)
district = rng.choice(DISTRICTS.index, N_FLATS, p=[0.3, 0.3, 0.25, 0.15])
of_district = DISTRICTS.loc[district].reset_index(drop=True)
built = np.rint(of_district.built + of_district.deviation * rng.normal(size=N_FLATS))
area = np.exp(rng.normal(4.2, 0.35, N_FLATS)) + 25 * (district == "Gardens")
floor = np.floor(rng.uniform(size=N_FLATS) * of_district.floors)
lift = (of_district.floors > 5) & (rng.uniform(size=N_FLATS) < 0.9)
newer = (built + 10 * rng.normal(size=N_FLATS)).to_numpy()
heating = np.select(
    [newer < 1950, newer < 1975, newer < 2005], ["gas", "oil", "gas"], "heat pump"
)
balcony = rng.uniform(size=N_FLATS) < np.where(built < 1940, 0.15, 0.8)
fair = of_district.price * (1 + 0.1 * balcony + 0.02 * floor * lift)
dear = 0.25 * rng.normal(size=N_FLATS)
flats = pd.DataFrame(
    {
        "rent per m²": (fair * np.exp(dear)).round(1),
        "area": area.round(1),
        "rooms": np.clip(np.rint(area / 25 + 0.4 * rng.normal(size=N_FLATS)), 1, None),
        "built": built,
        "floor": floor,
        "district": pd.Categorical(district),
        "heating": pd.Categorical(heating),
        "lift": lift,
        "balcony": balcony,
    }
).astype({"rooms": "Int64", "built": "Int64", "floor": "Int64"})
flats = flats.astype({"lift": "boolean", "balcony": "boolean"})
slow = dear + 0.05 * rng.normal(size=N_FLATS) > 0
let = np.where(slow, "takes longer", "let within a week")
flats = flats.mask(rng.uniform(size=flats.shape) < 0.04)
print(flats.head())

# %%
# Two codes
# ---------
# ``TableEncoder`` turns the table into numbers. Without hidden layers the autoencoder
# is FAMD. Rows with gaps are filled in by the autoencoder itself. The accuracies are
# those of classifiers that see the two codes. All figures are for flats that no step
# has seen in training.

train, test, let_train, let_test = train_test_split(
    flats, let, test_size=0.4, stratify=let, random_state=0
)
encoder = TableEncoder().fit(train)
numbers, numbers_test = encoder.transform(train), encoder.transform(test)
reducers = {
    "FAMD": AutoencoderTransformer(2, hidden_layer_sizes=()),
    "autoencoder": AutoencoderTransformer(2, random_state=0),
    "autoencoder with labels": AutoencoderTransformer(
        2, target_weight=0.5, random_state=0
    ),
}
codes, results = {}, {}
for name, reducer in reducers.items():
    reducer.fit(numbers, let_train)
    of_train, codes[name] = reducer.transform(numbers), reducer.transform(numbers_test)
    squares = np.square(reducer.inverse_transform(codes[name]) - numbers_test)
    results[name] = {"squared error": np.nanmean(squares)}
    for title, classifier in {
        "logistic regression": LogisticRegression(),
        "5 neighbours": KNeighborsClassifier(5),
    }.items():
        pipeline = make_pipeline(StandardScaler(), classifier).fit(of_train, let_train)
        results[name][title] = pipeline.score(codes[name], let_test)
print(pd.DataFrame(results).T.round(3))

# %%
# Gaps
# ----
# A fifth of the values of the table is hidden as well. The imputers see the incomplete
# table only. Numbers have the root mean squared error in standard deviations,
# categories and booleans the share that is wrong. ``AutoencoderImputer`` is the best
# in both, and its result has the dtypes of the table.

hidden = (rng.uniform(size=flats.shape) < 0.2) & flats.notna().to_numpy()
incomplete = flats.mask(hidden)
quantities = flats.select_dtypes("number").columns


def by_mean_and_mode(table):
    """Fill in the mean of numbers, and the most frequent category."""
    values = table.mode().iloc[0]
    values[quantities] = table[quantities].mean()
    return table.astype(dict.fromkeys(quantities, float)).fillna(values)


def by_neighbours(table):
    """Fill in the mean of five rows of the encoded table."""
    encoder = TableEncoder()
    filled = KNNImputer().fit_transform(encoder.fit_transform(table))
    return table.fillna(encoder.inverse_transform(filled))


def errors(filled):
    """Return the error of numbers, and the share of wrong categories."""
    squares, wrong = [], []
    for column, rows in zip(flats, hidden.T, strict=True):
        found, truth = filled[column][rows], flats[column][rows]
        if column in quantities:
            squares += list(((found - truth) / flats[column].std()) ** 2)
        else:
            wrong += list(found.astype(str) != truth.astype(str))
    return {"error of numbers": np.mean(squares) ** 0.5, "wrong": np.mean(wrong)}


imputer = AutoencoderImputer(random_state=0).set_output(transform="pandas")
filled = {
    "mean and mode": by_mean_and_mode(incomplete),
    "5 neighbours": by_neighbours(incomplete),
    "AutoencoderImputer": imputer.fit_transform(incomplete),
}
table = pd.DataFrame({name: errors(part) for name, part in filled.items()})
print(table.T.round(3))

# %%
# The codes of the test flats
# ---------------------------
# Each category is written at the mean code of its flats, districts in bold.
#
# Both codes of FAMD describe the house: its district, and with it age, heating and
# lift. They do not say which flats are let within a week. The autoencoder needs one
# code for the district. The other one says which flats are let: the accuracy of 5
# neighbours is 83 %, not 51 %. The squared error is 0.24, that of FAMD 0.37. Without
# labels it is 0.12, and the accuracy 63 %.

STYLES = ("let within a week", "#0072b2", "o"), ("takes longer", "#e69f00", "^")
OUTLINE = [withStroke(linewidth=3, foreground="white")]


def write_categories(axes, codes):
    """Write each category near its mean code, where no other one is written yet."""
    named = test.assign(lift=test["lift"].map({True: "lift", False: "no lift"}))
    boxes = []
    for column in ("district", "heating", "lift"):
        weight = "bold" if column == "district" else "normal"
        for name in named[column].dropna().unique():
            place = codes[(named[column] == name).fillna(False)].mean(axis=0)
            axes.plot(*place, "ko", markersize=5, markeredgecolor="white")
            for height in (14, -14, 30, -30, 46, -46):
                near = {"xytext": (0, height), "textcoords": "offset points"}
                style = {"ha": "center", "va": "center", "weight": weight}
                text = axes.annotate(name, place, **near, **style, path_effects=OUTLINE)
                box = text.get_window_extent()
                if not any(box.overlaps(other) for other in boxes):
                    break
                text.remove()
            boxes.append(box)
            line = {"arrowstyle": "-", "shrinkA": 8, "shrinkB": 2}
            axes.annotate("", place, **near, arrowprops=line)


figure, panels = plt.subplots(1, 2, figsize=(12, 5.8), layout="constrained")
shown = {name: codes[name] for name in ("FAMD", "autoencoder with labels")}
for axes, (name, places) in zip(panels, shown.items(), strict=True):
    for label, color, marker in STYLES:
        points = places[let_test == label].T
        axes.scatter(
            *points, s=24, c=color, marker=marker, alpha=0.6, linewidth=0, label=label
        )
    of_name = results[name]
    axes.set_title(
        f"{name}\nsquared error {of_name['squared error']:.2f}, "
        f"accuracy of 5 neighbours {of_name['5 neighbours']:.0%}"
    )
    axes.set(xlabel="code 1", ylabel="code 2")
    axes.spines[["top", "right"]].set_visible(False)
handles = panels[0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=2, frameon=False)
figure.draw_without_rendering()
for axes, places in zip(panels, shown.values(), strict=True):
    write_categories(axes, places)
figure.savefig("plot_mixed_table.png", dpi=120)
print("Figure saved to plot_mixed_table.png")
