"""The figures of a probing on the terminal."""

import rich
from rich.table import Table

from training.live.console import final_message
from training.probing.results import BASELINES, Probed, Results, drawn_text, figure_text
from training.probing.verdicts import CHANCE, mean_of


def print_results(results: Results) -> None:
    """Print a table for each model, and how alike the models are."""
    for each in results.probed:
        _print(each, results.state)
    for place, each in enumerate(results.probed):
        for other, alike in list(zip(results.probed, results.alike[place], strict=True))[:place]:
            final_message(f"linear CKA of {each.name} and {other.name}: {alike:.3f}")


def _print(each: Probed, state: tuple[str, ...]) -> None:
    verdict = each.verdict
    shown = Table(title=f"{each.name}: {each.model}, R² of linear probes", title_justify="left")
    shown.add_column("state", no_wrap=True)
    for name in ("R²", *BASELINES, "GTC"):
        shown.add_column(name, justify="right")
    columns = (verdict.r_squared, *(each.baselines[name] for name in BASELINES))
    for place, name in enumerate(state):
        cells = [_short(column[place]) for column in columns]
        shown.add_row(name, *cells, figure_text(verdict.greatest[place]))
    means = [mean_of(column) for column in (*columns, verdict.greatest)]
    shown.add_row("mean", *map(_short, means[:-1]), figure_text(means[-1]))
    rich.get_console().print(shown)
    final_message(
        f"{each.name}: RankMe {verdict.rank:.1f} of {verdict.num_features} numbers, mean canonical "
        f"correlation {figure_text(mean_of(verdict.canonical))}"
    )
    if each.drawn is not None:
        final_message(f"{each.name}: drawings: {drawn_text(each.drawn)}")


def _short(value: float | None) -> str:
    """Return an R², or a word for one that is no more than chance."""
    return "chance" if value is not None and value <= CHANCE else figure_text(value)
