"""Draws plots as SVG, by matplotlib, of figures that other modules measured."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "sstorefs", "svg.fonttype": "none", "font.size": 10, "axes.spines.top": False,
                            "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3, "legend.frameon": False})
from matplotlib import pyplot  # noqa: E402

COLOURS = ("#1f6f8b", "#e07a1f", "#7a7a7a", "#5b8c3a", "#a23e6b", "#c9a227")


def bars(axes, plot):
    """Draws bars side by side for every text on the axis."""
    places = list(dict.fromkeys(x for points in plot.lines.values() for x, _ in points))
    width = 0.8 / len(plot.lines)
    for number, (label, points) in enumerate(plot.lines.items()):
        axes.bar([places.index(x) + (number - (len(plot.lines) - 1) / 2) * width for x, _ in points], [y for _, y in points],
                 width, label=label, color=COLOURS[number % len(COLOURS)])
    axes.set_xticks(range(len(places)), places)
    axes.grid(False, axis="x")


def curves(axes, plot):
    for number, (label, points) in enumerate(plot.lines.items()):
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=label, color=COLOURS[number % len(COLOURS)])


def draw(plot, folder):
    figure, axes = pyplot.subplots(figsize=(7.5, 4.2), layout="constrained")
    is_text = any(isinstance(x, str) for points in plot.lines.values() for x, _ in points)
    (bars if is_text else curves)(axes, plot)
    if "x" in plot.logarithmic and not is_text:
        axes.set_xscale("log")
    if "y" in plot.logarithmic:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    if plot.level is not None:
        axes.axhline(plot.level, color="black", linewidth=0.8, linestyle="--")
    axes.set_title(plot.title, loc="left")
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    if len(plot.lines) > 1:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=min(3, len(plot.lines)))
    figure.savefig(folder / f"{plot.name}.svg", metadata={"Date": None})
    pyplot.close(figure)
