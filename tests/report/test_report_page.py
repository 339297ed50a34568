"""The page as a browser's parser sees it."""

import csv
import io
import time
from html.parser import HTMLParser

import numpy as np
import pytest

from adjax.report.cases import Case
from adjax.report.page import write_report

VOID = {"meta", "link", "img", "input", "br", "wbr"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$\\frac{a}$ & {{ 7 * 7 }}",
    "_hidden",
)


class Page(HTMLParser):
    """Text, attributes and ids; fails on a tag that is never closed."""

    def __init__(self, source: str):
        super().__init__()
        self.texts, self.links, self.ids, self.uses, self.tags, self.open = [], [], [], [], [], []
        self.best = []
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has a handler"
            self.ids += [value] if name == "id" else []
            self.links += [value] if name in ("href", "src", "xlink:href", "action", "data", "srcset") else []

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1][0] != "style":
            self.texts.append(data)
            if "best" in (self.open[-1][1].get("class") or "").split():
                self.best.append(data)


def parse(path) -> Page:
    source = path.read_text("utf-8")
    page = Page(source)
    assert "script" not in page.tags and "iframe" not in page.tags
    assert "http:" not in source.lower() and "https:" not in source.lower() and "@import" not in source
    assert all(link.startswith(("data:", "#")) for link in page.links), [link[:60] for link in page.links]
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    return page


def test_all_numbers_and_words_are_on_the_page(tmp_path, evaluation):
    write_report(tmp_path / "report" / "index.html", **evaluation)
    page = parse(tmp_path / "report" / "index.html")
    numbers = "0.931 0.845 0.778 0.9996 0.414 0.712 0.616 0.323 0.818 0.828 0.535 0.424 0.293 0.654 0.876 0.555"
    for number in [*numbers.split(), "0.5125", "0.375", "0.4747", "0.3838", "25 %", "87.5 %", "10 %"]:
        assert number in page.text, number
    words = [
        "filaments · light",
        "conv_ae",
        "64 × 96 pixels",
        "24 good images",
        "seed 3",
        "does not beat the intensity",
    ]
    words += [
        "Better than every baseline on 2 of 3 metrics",
        "3 of 4",
        "4 of 4",
        "19 held-out good images",
        "oracle",
    ]
    words += ["123.4 s", "24.12 images/s", "18,342 MB", "0.10.2", "--workdir=out", '"tile": 64', "loss/total"]
    words += [
        "Missed",
        "False alarms",
        "Found",
        "Passed",
        "ROC of images: AUROC 0.931",
        "good (4)",
        "defective (8)",
    ]
    for word in [*words, *(case.id for case in evaluation["cases"])]:
        assert word in page.text, word
    assert sorted(page.best) == sorted(["0.931", "0.845", "0.818"])
    assert not list(tmp_path.rglob("*.unfinished"))


def test_the_four_outcomes_are_counted(tmp_path, evaluation):
    write_report(tmp_path / "index.html", **evaluation)
    page = parse(tmp_path / "index.html")
    assert "good 3 1 false alarms defective 1 missed 7" in page.text


def test_a_metric_that_is_null_shows_a_dash_and_its_reason(tmp_path, evaluation):
    write_report(tmp_path / "index.html", **evaluation)
    page = parse(tmp_path / "index.html")
    assert "Not computed: masks <b>missing</b> – – 0.293" in page.text
    assert "Not computed: no good pixels – – –" in page.text
    assert "None" not in page.text and "nan" not in page.text.split()


@pytest.mark.parametrize("metrics", [None, {"image_auroc": None, "aupro": None}])
def test_prediction_without_labels(tmp_path, evaluation, metrics):
    cases = [case._replace(label=-1, defect="", mask=None) for case in evaluation["cases"]]
    rows = [row | {"label": -1, "defect": ""} for row in evaluation["rows"] if row["split"] == "test"]
    threshold = {"image": evaluation["results"]["threshold"]["image"], "pixel": None}
    results = {
        "dataset": "folder",
        "method": "conv_ae",
        "metrics": metrics,
        "baselines": None,
        "threshold": threshold,
    }
    write_report(tmp_path / "i.html", results=results, curves={}, rows=rows, cases=cases, history={}, config={})
    page = parse(tmp_path / "i.html")
    assert "12 images scored, 8 called defective" in page.text and "without a label (12)" in page.text
    assert all(case.id in page.text for case in cases)
    for absent in (
        "Metrics on the test images",
        "By type of defect",
        "Curves",
        "Training",
        "ground truth",
        "oracle",
    ):
        assert absent not in page.text


def test_nothing_at_all_still_makes_a_page(tmp_path):
    write_report(tmp_path / "i.html", results={}, curves={}, rows=[], cases=[], history={}, config={})
    assert "0 images scored" in parse(tmp_path / "i.html").text


def test_no_threshold_no_maps_many_channels_and_an_infinite_score(tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"id": f"{i}", "split": "test", "label": i % 2, "score": 10.0**i, "decision": ""} for i in range(6)]
    rows[0]["score"] = float("nan")
    cases = [Case(f"{i}", i % 2, "", 1.0, None, rng.random((5, 700, 5), np.float32), None, None) for i in range(2)]
    results = {"method": "kde", "metrics": {"image_auroc": 0.5, "pixel_auroc": None}}
    write_report(tmp_path / "i.html", results=results, curves={}, rows=rows, cases=cases, history={}, config={})
    page = parse(tmp_path / "i.html")
    for words in (
        "No threshold was set",
        "no reason was recorded",
        "no decision",
        "1 images have no finite score",
    ):
        assert words in page.text
    assert "anomaly map" not in page.text


def test_an_infinite_threshold_is_told_and_not_drawn(tmp_path, evaluation):
    infinite = {"kind": "conformal", "value": float("inf"), "alpha": 0.01, "n": 19}
    evaluation["results"] = evaluation["results"] | {"threshold": {"image": infinite, "pixel": infinite}}
    write_report(tmp_path / "i.html", **evaluation)
    page = parse(tmp_path / "i.html")
    assert "above inf" in page.text and "19 are too few" in page.text and "marked" not in page.text.split("Cases")[1]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(tmp_path, evaluation, name):
    results = evaluation["results"]
    evaluation["results"] = results | {
        "dataset": name,
        "method": name,
        "notes": [name],
        "command": name,
        "reasons": {"aupro_05": name},
        "versions": {name: name},
        "per_defect": {name: {"n": 8, "image_auroc": 0.5}},
        "baselines": {name + "2": results["baselines"]["intensity"]},
    }
    evaluation["cases"] = [evaluation["cases"][5]._replace(id=name, defect=name)]
    evaluation["rows"][5] |= {"id": name, "defect": name}
    evaluation["history"] = {name: [(0, 2.0), (1, 1.0)]}
    evaluation["config"] = {name: name}
    write_report(tmp_path / "i.html", **evaluation)
    page = parse(tmp_path / "i.html")
    assert page.text.count(name.lstrip("_")) >= 12
    assert "49" not in page.text


def test_rows_may_be_the_strings_of_the_csv_file(tmp_path, evaluation):
    file = io.StringIO()
    writer = csv.DictWriter(file, evaluation["rows"][0])
    writer.writeheader()
    writer.writerows(evaluation["rows"])
    write_report(tmp_path / "typed.html", **evaluation)
    evaluation["rows"] = list(csv.DictReader(io.StringIO(file.getvalue())))
    write_report(tmp_path / "strings.html", **evaluation)
    assert (tmp_path / "typed.html").read_text() == (tmp_path / "strings.html").read_text()


def test_a_failed_report_leaves_the_older_one(tmp_path, evaluation):
    (tmp_path / "i.html").write_text("older")
    with pytest.raises(ValueError, match=r"unknown curves.*'det'.*roc, pr, pro"):
        write_report(tmp_path / "i.html", **evaluation | {"curves": {"det": ((0, 1), (0, 1))}})
    assert (tmp_path / "i.html").read_text() == "older"


def test_twelve_large_cases_in_few_seconds_and_megabytes(tmp_path, evaluation):
    noise = np.random.default_rng(0).random((600, 600, 1), np.float32)
    evaluation["cases"] = [
        c._replace(image=noise, map=noise[..., 0], mask=noise[..., 0] > 0.9) for c in evaluation["cases"]
    ]
    start = time.thread_time()  # other tests' threads may still be at work
    write_report(tmp_path / "i.html", **evaluation)
    assert time.thread_time() - start < 5
    assert (tmp_path / "i.html").stat().st_size < 7e6  # noise is the worst case for every encoder
