"""
Plot time against quality for all contenders of a study.

Contenders on the Pareto front and baselines have labels. Points far outside the plot
are drawn at its edge.

    python benchmarks/quality_figure.py study.csv docs/quality.png [columns]
"""

import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from quality import summary

PANELS = {
    "median error": ("held-out squared error / PCA's, median", min),
    "geometric mean": ("held-out squared error / PCA's, geometric mean", min),
    "gain": ("accuracy on codes minus accuracy on PCA's codes, in points", max),
}


def pareto_front(points, better):
    """Return the names that no other beats in both time and quality, sorted by time."""
    best, labels = None, []
    for name, (_, quality) in sorted(points.items(), key=lambda item: item[1][0]):
        if best is None or (quality != best and better(quality, best) == quality):
            best = quality
            labels.append(name)
    return labels


def spread_out(heights, gap):
    """Return the heights, moved up until the distance of neighbours is ``gap``."""
    moved = []
    for height in heights:
        moved.append(max(height, moved[-1] + gap) if moved else height)
    return moved


if __name__ == "__main__":
    table = summary(pd.read_csv(sys.argv[1]))
    table = table[table.settings == table.settings.max()]
    columns = sys.argv[3:] or ["geometric mean", "gain"]
    figure, panels = plt.subplots(1, 2, figsize=(14, 5.5), layout="constrained")
    for axes, column in zip(panels, columns, strict=True):
        title, better = PANELS[column]
        points = {
            name: (line["time"], line[column])
            for name, line in table.dropna(subset=[column]).iterrows()
        }
        best = pareto_front(points, better)
        ours = [quality for name, (_, quality) in points.items() if "skae" in name]
        room = 0.3 * (max(ours) - min(ours))
        low, high = min(ours) - room, max(ours) + room
        axes.plot(*zip(*(points[name] for name in best), strict=True), color="0.8")
        labels = []
        for name, (time, quality) in points.items():
            is_other = "skae" not in name
            color = "C3" if name == "skae" else "C1" if is_other else "C0"
            shown = min(max(quality, low), high)
            size = 9 if name == "skae" else 5
            axes.plot(time, shown, "o", color=color, ms=size, clip_on=False)
            if name not in best and name != "skae" and not is_other:
                continue
            label = name.removeprefix("skae: ") if name != "skae" else "the defaults"
            if shown != quality:
                label += f" ({quality:.2g})"
            labels.append(((shown - low) / (high - low), time, shown, label, color))
        labels.sort()
        heights = spread_out([height for height, *_ in labels], 0.05)
        surplus = max(0, heights[-1] - 1)
        for height, (_, time, shown, label, color) in zip(heights, labels, strict=True):
            axes.annotate(
                label,
                (time, shown),
                xytext=(1.03, height - surplus),
                textcoords="axes fraction",
                va="center",
                fontsize=8,
                color=color,
                arrowprops={"arrowstyle": "-", "color": color, "lw": 0.4},
                annotation_clip=False,
            )
        axes.set_ylim(low, high)
        axes.set_xscale("log")
        axes.set(xlabel="seconds of a fit, relative to the defaults'", ylabel=title)
        axes.grid(alpha=0.3)
    figure.savefig(sys.argv[2], dpi=120)
    print(f"figure: {sys.argv[2]}")
