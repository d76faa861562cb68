"""The results of measurements: tables with notes, and their Markdown."""

from dataclasses import dataclass, field


@dataclass
class Table:
    title: str
    header: list
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def markdown(self):
        lines = [f"### {self.title}", "", row(self.header), row(["---"] + ["---:"] * (len(self.header) - 1))]
        lines += [row(cells) for cells in self.rows]
        lines += [""] + [f"- {note}" for note in self.notes] + ([""] if self.notes else [])
        return "\n".join(lines)


@dataclass
class Plot:
    """Lines over a common axis, or bars where `x` is text."""

    name: str
    title: str
    x_label: str
    y_label: str
    lines: dict  # {label: [(x, y)]}
    logarithmic: str = ""  # "x", "y", "xy"
    level: float = None  # a dashed line


@dataclass
class Group:
    """The results of one kind of measurement. `targets`: [(what, figure as text, wanted as text, whether it holds)]"""

    title: str
    tables: list = field(default_factory=list)
    plots: list = field(default_factory=list)
    targets: list = field(default_factory=list)


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def seconds(figure):
    """Formats a figure for reading."""
    if figure < 1e-3:
        return f"{figure * 1e6:.0f} µs"
    return f"{figure * 1e3:.2f} ms" if figure < 0.1 else f"{figure:.2f} s" if figure < 100 else f"{figure:.0f} s"


def markdown(groups, machine, command):
    """Returns the whole report, with the targets first."""
    promised = Table("What was promised", ["", "measured", "wanted", ""])
    for group in groups:
        promised.rows += [[what, figure, wanted, "yes" if holds else "**no**"] for what, figure, wanted, holds in group.targets]
    lines = [f"Made by `{command}` on a {machine}.", ""]
    lines += [promised.markdown(), ""] if promised.rows else []
    for group in groups:
        lines += [f"## {group.title}", ""] + [table.markdown() for table in group.tables]
        lines += [f"![{plot.title}]({plot.name}.svg)\n" for plot in group.plots]
    return "\n".join(lines)
