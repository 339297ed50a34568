"""The tables of the views: there when the results have them, best values marked, and no trace of them otherwise."""

import copy

import pytest

from adjax.report.page import write_report
from tests.report.test_report_page import parse


def view(ap, alarms):
    values = {"images": 2, "instances": 3, "pixels": 40, "prevalence": 0.00123, "pixel_ap": ap, "aupro": 0.5 + ap}
    places = {"recall": 0.8, "thresholds": {"pixels": 0.2, "instances": 0.4}}
    places["false_alarms"] = {"crossings": {"share": 0.07, "pixels": alarms, "instances": alarms / 2}}
    return {"groups": {"type": {"blob": values}, "crossing_distance": {"below 5 px": values}}, "places": places}


@pytest.fixture
def page(tmp_path, evaluation):
    def write(views):
        evaluation["results"] = copy.deepcopy(evaluation["results"]) | ({"views": views} if views else {})
        write_report(tmp_path / "index.html", **evaluation)
        return parse(tmp_path / "index.html")

    return write


def test_tables(page):
    found = page({"conv_ae": view(0.00456, 0.31), "intensity": view(0.0021, 0.29)})
    for words in ("Pixels by group of defects", "blob", "Distance to the nearest crossing", "below 5 px", "guessing"):
        assert words in found.text
    assert "0.0012 0.0046 0.0021 0.505 0.502" in found.text  # guessing, then every method's AP, then its AUPRO
    assert "AUROC against crossings" not in found.text  # nobody measured it
    assert "crossings 7 % 31 % 29 % 15.5 % 14.5 %" in found.text
    assert {"0.0046", "0.505", "29 %", "14.5 %"} <= set(found.best)
    assert not {"0.0021", "31 %"} & set(found.best)


def test_no_places_no_heading(page):
    found = page({"conv_ae": view(0.4, 0.3) | {"places": None}})
    assert "groups" in found.ids and "places" not in found.ids


def test_no_views_no_heading(page):
    found = page(None)
    assert not {"groups", "places"} & set(found.ids)
    assert "Pixels by group" not in found.text and "False alarms by place" not in found.text
