"""Dots: which scores are shown, in which order, and that no label is cut."""

from matplotlib.backends.backend_agg import FigureCanvasAgg

from pairvae.reports.dot_plots import dot_panels, dot_plot


def summary(median: float) -> dict[str, object]:
    return {
        "median": median,
        "q1": 0.8 * median,
        "q3": 1.2 * median,
        "n": 24,
        "interval": [0.9 * median, 1.1 * median],
    }


METRICS = {
    "splits": {
        "validation": {
            "pair": {
                "saxs_sem": {"s2_mae": summary(0.009), "lineal_path_mae": summary(0.005)},
                "sem_saxs": {"mae": summary(0.022)},
                "sem_sem": {"s2_mae": summary(0.006)},
            },
            "baselines": {
                "retrieval": {"saxs_sem": {"s2_mae": summary(0.013)}, "sem_saxs": {"mae": summary(0.031)}},
                "same_morphology": {"saxs_sem": {"s2_mae": summary(0.001)}},
            },
            "floor": {"sem_sem": {"s2_mae": summary(0.008)}},
            "ensembles": {
                "latent_crops": {"energy_score": 0.009},
                "pair": {"energy_score": 0.008},
                "floor": {"energy_score": 0.006},
            },
        }
    },
    "ranking": {
        "validation": {
            "saxs_sem": {
                "energy_score": {"best": "pair", "not_told_apart": ["latent_crops"]},
                "s2_mae": {"best": "pair", "not_told_apart": []},
            }
        }
    },
}


def test_the_scores_that_matter_stand_in_order_with_their_floor() -> None:
    energy, single, pixels = dot_panels(METRICS)
    assert [dot.method for dot in energy.dots] == ["pair", "latent_crops"]
    assert [dot.best for dot in energy.dots] == [True, True]
    assert energy.floor == (0.006, 0.006, 0.006)
    assert [dot.method for dot in single.dots] == ["pair", "retrieval"]  # none that knows the morphology
    assert [dot.best for dot in single.dots] == [True, False]
    assert single.floor == (0.8 * 0.008, 0.008, 1.2 * 0.008)
    assert (pixels.title, pixels.floor) == ("SEM → SAXS: pixel error", None)
    assert pixels.dots[0].interval == (0.9 * 0.022, 1.1 * 0.022)


def test_no_word_is_cut() -> None:
    for panel in dot_panels(METRICS):
        drawing = dot_plot(panel)
        FigureCanvasAgg(drawing).draw()
        page = drawing.bbox
        words = [*drawing.axes[0].get_yticklabels(), *drawing.texts, drawing._suptitle]
        for box in (word.get_window_extent() for word in words if word is not None):
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and box.y1 <= page.y1
