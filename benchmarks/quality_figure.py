"""
Draw time against quality for everything that a study compared.

    python benchmarks/quality_figure.py study.csv docs/quality.png
"""

import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from quality import summary

PANELS = {
    "geometric mean": ("held-out squared error, relative to PCA's", min),
    "gain": ("points of accuracy on codes, above PCA's codes", max),
}


def front(points, better):
    """Return the labels that no other beats in both time and quality, by time."""
    best, labels = None, []
    for name, (_, quality) in sorted(points.items(), key=lambda item: item[1][0]):
        if best is None or (quality != best and better(quality, best) == quality):
            best = quality
            labels.append(name)
    return labels


if __name__ == "__main__":
    table = summary(pd.read_csv(sys.argv[1]))
    table = table[table.settings == table.settings.max()]
    figure, panels = plt.subplots(1, 2, figsize=(12, 5.5), layout="constrained")
    for axes, (column, (title, better)) in zip(panels, PANELS.items(), strict=True):
        points = {
            name: (line["time"], line[column])
            for name, line in table.dropna(subset=[column]).iterrows()
        }
        best = front(points, better)
        axes.plot(*zip(*(points[name] for name in best), strict=True), color="0.8")
        for name, (time, quality) in points.items():
            color = "C3" if name == "skae" else "C0" if "skae" in name else "C1"
            axes.plot(time, quality, "o", color=color, ms=9 if name == "skae" else 5)
            axes.annotate(
                name.removeprefix("skae: ") if name != "skae" else "the defaults",
                (time, quality),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=7,
                color=color if name in best else "0.4",
            )
        axes.set_xscale("log")
        axes.set(xlabel="seconds of a fit, relative to the defaults'", ylabel=title)
        axes.grid(alpha=0.3)
    figure.savefig(sys.argv[2], dpi=120)
    print(f"figure: {sys.argv[2]}")
