"""Things to touch: atlas and sliders, in a browser that reaches nothing but the page."""

import io
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from softlabels.analysis.embeddings import Embedding
from softlabels.chapters import adversarial, annotation_budget, atlas, sliders
from softlabels.chapters import when_to_ask_a_person as review
from softlabels.errors import ConfigError, RecordError
from softlabels.figures import interactive

HOSTILE = "</script><img src=x onerror=alert(1)>&'\""
CLASSES = (HOSTILE, "dog", "bird")
N = 40
AT = np.arange(N)


@pytest.fixture
def small():
    """An atlas of 40 images on a line; the hard network's map runs the other way."""
    rng = np.random.default_rng(0)
    p = {who: rng.dirichlet(np.ones(3), N) for who in ("people", "hard", "soft")}
    line = np.stack([AT, 0.3 * AT], 1).astype(np.float32)
    maps = {"hard": Embedding(100 + AT, -line, {}, {}), "soft": Embedding(100 + AT, line, {}, {})}

    def arrays(arm):
        return {"targets": p["people"], "log_probs": np.log(p[arm]), "ids": 100 + AT}

    records = {arm: SimpleNamespace(id=arm, arrays=lambda arm=arm: arrays(arm)) for arm in ("hard", "soft")}
    images = rng.integers(0, 255, (N, 8, 8, 3), dtype=np.uint8)
    return atlas.Atlas("toy", CLASSES, records, maps, atlas.sheet(images))


@pytest.fixture
def runs():
    """Measures that get better with the number of annotations."""
    slopes = {"kl": -0.1, "macro_accuracy": 0.01, "entropy_correlation": 0.02}
    arms = {"n=1": 1, "n=3": 3, "n=10": 10, "n=all": 50}

    return pd.DataFrame(
        [
            {"arm": arm, "annotations": float(n)}
            | {f"test.{m}": 0.6 + slope * np.log(n) + 0.01 * i for m, slope in slopes.items()}
            for arm, n in arms.items()
            for i in range(3)
        ]
    )


@pytest.fixture
def attack():
    return pd.DataFrame(
        [
            {"case": case, "measure": "accuracy", "arm": arm, "level": x, "value": 0.8 - slope * x}
            for case in ("PGD", "FGSM")
            for arm, slope in (("truth", 0.15), ("soft", 0.1))
            for x in (0, 1, 4)
        ]
    )


def whole(*parts: str) -> str:
    return f'<!doctype html><html lang="en"><title>page</title><main>{"".join(parts)}</main></html>'


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens HTML as a page; anything but the page itself is refused and remembered."""
    pages = []

    def open_(content: str, width: int = 900, **settings):
        file = tmp_path / "page.html"
        file.write_text(content, encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, **settings)
        page.refused, page.errors = [], []
        page.on("pageerror", lambda error: page.errors.append(str(error)))

        def gate(route):
            if route.request.url.startswith(("file:", "data:")):
                route.continue_()
            else:
                page.refused.append(route.request.url)
                route.abort()

        page.route("**/*", gate)
        page.goto(file.as_uri())
        pages.append(page)
        return page

    yield open_
    for page in pages:
        assert page.refused == [] and page.errors == []
        page.close()


def drawn(one: atlas.Atlas) -> str:
    return whole(interactive.markup("atlas", "toy", atlas.data(one), "<p>static</p>"))


def chosen(page) -> int:
    return int(page.locator("#toy").get_attribute("data-chosen"))


def point_at(page, which: int, share: float) -> None:
    """Move the mouse to the image at this share of the line of one map."""
    box = page.locator("#toy .sl-plot").nth(which).bounding_box()
    side = box["width"] - 16
    x, y = share - 0.5, 0.3 * (share - 0.5)  # of the side, from the middle; up is positive
    page.mouse.move(box["x"] + box["width"] / 2 + side * x, box["y"] + box["height"] / 2 - side * y)


def test_pointing_at_an_image_shows_it_in_both_maps(small, opened):
    page = opened(drawn(small))
    point_at(page, 1, 1.0)
    assert chosen(page) == 139
    point_at(page, 0, 1.0)  # the same place in the other map is the other end of the line
    assert chosen(page) == 100
    q = small.shares()
    row = page.locator("#toy tbody tr", has_text="dog").locator("td")
    assert row.all_inner_texts() == [f"{100 * q[who][0, 1]:.0f} %" for who in ("people", "hard", "soft")]
    assert "Image 100" in page.locator("#toy caption").inner_text()
    colours = page.evaluate("[...document.querySelector('#toy .sl-picture').getContext('2d')"
                            ".getImageData(64, 64, 1, 1).data]")  # fmt: skip
    assert colours[3] == 255, "the picture is drawn"


def test_every_image_is_reached_by_keyboard(small, opened):
    page = opened(drawn(small))
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "sl-plot":
            break
    named = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert named.startswith("Trained on the majority")
    page.locator("#toy select").nth(2).select_option("id")
    page.locator("#toy .sl-plot").nth(1).focus()
    page.keyboard.press("Home")
    assert chosen(page) == 100
    seen = [100]
    for _ in range(N - 1):
        page.keyboard.press("ArrowRight")
        seen.append(chosen(page))
    assert seen == list(range(100, 140))
    page.keyboard.press("ArrowRight")
    assert chosen(page) == 139, "beyond the last image there is none"
    page.keyboard.press("PageUp")
    assert chosen(page) == 138
    page.wait_for_timeout(400)
    assert page.locator("#toy [role=status]").inner_text().startswith("Image 138. People: ")


def test_filters_leave_what_they_say(small, opened):
    page, (people, hard, soft) = opened(drawn(small)), (p.argmax(1) for p in small.shares().values())
    of_class, networks, _ = page.locator("#toy select").all()
    count = page.locator("#toy .sl-count")
    expected = {
        "": N,
        "differ": (hard != soft).sum(),
        "first": ((hard == people) & (soft != people)).sum(),
        "second": ((soft == people) & (hard != people)).sum(),
        "neither": ((soft != people) & (hard != people)).sum(),
    }
    for value, number in expected.items():
        networks.select_option(value)
        assert count.inner_text() == f"{number} of {N} images"
    networks.select_option("")
    of_class.select_option("1")
    assert count.inner_text() == f"{(people == 1).sum()} of {N} images"
    assert people[chosen(page) - 100] == 1
    page.get_by_role("button", name="Show all").click()
    page.locator("#toy input[type=range]").first.fill("1")
    doubt = atlas.entropy(small.shares()["people"])
    assert count.inner_text() == f"{(doubt.round(3) >= 1).sum()} of {N} images"


def test_the_order_begins_with_the_greatest_distance(small, opened):
    page, shares = opened(drawn(small)), small.shares()
    distance = np.abs((100 * shares["hard"]).round() - (100 * shares["soft"]).round()).sum(1) / 2
    assert distance[chosen(page) - 100] == distance.max()
    page.get_by_role("button", name="Next").click()
    assert distance[chosen(page) - 100] == np.sort(distance)[-2]
    page.get_by_role("button", name="Previous").click()
    page.get_by_role("button", name="Previous").click()
    assert distance[chosen(page) - 100] == distance.min()


def test_an_empty_selection_is_said_and_undone(small, opened):
    page = opened(drawn(small))
    page.locator("#toy input[type=range]").nth(1).fill("0")
    assert "No image is left" in page.locator("#toy caption").inner_text()
    page.locator("#toy .sl-plot").first.press("ArrowRight")
    page.get_by_role("button", name="Show all").click()
    assert page.locator("#toy .sl-count").inner_text() == f"{N} of {N} images"


@pytest.mark.parametrize("width", [1280, 360])
def test_names_are_text_and_the_page_does_not_scroll_sideways(small, opened, width):
    page = opened(drawn(small), width)
    page.on("dialog", lambda _: pytest.fail("a name of a class was run"))
    assert page.locator("img[src=x]").count() == 0
    assert HOSTILE in page.locator("#toy .sl-legend").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_without_scripts_the_static_part_stands(small, opened):
    page = opened(drawn(small), java_script_enabled=False)
    assert page.locator("body").inner_text().strip() == "static"


def test_maps_of_other_images_cannot_be_linked(small):
    maps = dict(small.maps, soft=Embedding(AT, small.maps["soft"].points, {}, {}))
    place = {"dataset": "synthetic", "network": "tiny", "seed": 0, "fold": 0}
    rows = [place | {"arm": a, "record": small.records[a], "embedding": maps[a]} for a in atlas.ARMS]
    with pytest.raises(RecordError, match="differ"):
        atlas.atlases(pd.DataFrame(rows))


def test_a_key_must_be_an_id():
    with pytest.raises(ConfigError, match="cannot be an id"):
        interactive.markup("slider", '"><b>', {}, "")


def test_the_agreement_counts_every_image_once(small):
    counts = atlas._agreement(small)
    differently = counts.pop("answer differently")
    assert sum(counts.values()) == N and 0 < differently < N


@pytest.fixture(scope="module")
def committed():
    found = atlas.atlases(atlas.collect("laptop", [0]))
    if not found:
        pytest.skip("no committed maps")
    return list(found.values())


def test_the_committed_atlas_is_small_and_quick(committed, opened):
    assert {one.dataset: len(one.ids) for one in committed} == {"synthetic": 3000, "cifar10h-9500": 950}
    assert all(one.sheet for one in committed)
    parts = [
        interactive.markup("atlas", f"atlas-{one.dataset}", atlas.data(one), atlas.picture(one, "laptop"))
        for one in committed
    ]
    text = whole(*parts)
    assert len(text.encode()) < 2.5e6  # of 3 MB, so that the theme has room
    assert "CC BY-NC-SA" in text
    alts = re.findall(r'<img alt="([^"]+)"', text)
    assert len(alts) == 2 and all("answer differently on" in alt for alt in alts)
    page = opened("<!doctype html>")
    # Time on the processor, not on the clock: the machine that tests may be busy with other things.
    meter = page.context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.set_content(text)
    atlas_ = page.locator("#atlas-synthetic")
    first = atlas_.get_attribute("data-chosen")
    atlas_.locator(".sl-plot").first.press("PageDown")
    assert atlas_.get_attribute("data-chosen") != first
    spent = {m["name"]: m["value"] for m in meter.send("Performance.getMetrics")["metrics"]}
    assert 0 < spent["TaskDuration"] < 1, "seconds until the first interaction is answered"


class Held(HTMLParser):
    """Data that a script element holds."""

    def __init__(self, text):
        super().__init__()
        self.inside, self.data = False, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = ("type", "application/json") in attributes

    def handle_data(self, data):
        if self.inside:
            self.data, self.inside = json.loads(data), False


def test_a_slider_moves_sentence_table_and_marker(runs, opened):
    data = sliders.annotations(runs)
    page = opened(whole(interactive.markup("slider", "what-if", data, "<p>table above</p>")))
    slider, says = page.locator("#what-if input[type=range]"), page.locator("#what-if output")
    slider.fill("0")
    assert "With 1 annotation for each image, KL [nats] is 0.610; with all (47 to 63)" in says.inner_text()
    assert page.locator("#what-if td").all_inner_texts() == ["0.610", "0.600 – 0.620"]
    left = page.locator("#what-if .sl-marker").get_attribute("x1")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "3"
    assert float(page.locator("#what-if .sl-marker").get_attribute("x1")) > float(left)
    slider.press("End")
    assert says.inner_text() == "With all (47 to 63) annotations for each image, KL [nats] is 0.219."
    ticks = page.locator("#what-if .sl-axis").all_text_contents()
    assert ticks[-2:] == ["all", "annotations for each image"], "what stands in brackets has no room there"
    page.locator("#what-if select").select_option("1")
    assert "accuracy" in page.locator("#what-if caption").inner_text()


def test_a_slider_of_the_radius_knows_what_was_measured(attack, opened):
    data = sliders.radius(attack)
    assert [view["name"] for view in data["views"]] == ["PGD", "FGSM"]
    page = opened(whole(interactive.markup("slider", "radius", data, "")), 360)
    page.locator("#radius input").fill("2")
    assert "PGD of radius 4/255 leaves an accuracy of 0.200 (dataset's label) and 0.400 (all" in (
        page.locator("#radius output").inner_text()
    )
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.fixture
def source():
    """Two runs of each arm; people are always right, the soft network knows better what it does not know."""
    truth = np.arange(400) % 2

    def record(seed, skill):
        rng = np.random.default_rng(seed)
        right = rng.uniform(0.5 - skill, 1, 400)
        p = np.where(truth[:, None] == np.arange(2), right[:, None], 1 - right[:, None])
        arrays = {"targets": np.eye(2)[truth], "log_probs": np.log(p), "truth": truth}
        return SimpleNamespace(id=f"{seed} {skill}", arrays=lambda: arrays, config=SimpleNamespace(seed=seed))

    place = {"source": "toy", "hard": "hard", "network": "", "fold": 0}
    return pd.DataFrame(
        [
            {**place, "arm": arm, "seed": seed, "record": record(seed, skill)}
            for arm, skill in (("hard", 0.4), ("soft", 0.2))
            for seed in (0, 1)
        ]
    )


def test_a_greater_review_budget_leaves_less_error(source):
    [view] = sliders.budget(source)["views"]
    for series in view["series"]:
        assert all(a >= b for a, b in zip(series["mean"], series["mean"][1:], strict=False))
        assert series["low"][0] <= series["mean"][0] <= series["high"][0]
    hard, other = (review.routed(record, 0.1).system_error for record in source.record[:2])
    assert view["series"][0]["mean"][view["steps"].index("10 %")] == pytest.approx(
        (hard + other) / 2, abs=6e-4
    )
    assert view["says"][5].startswith("Of 1,000 images 100 go to a person.")


def test_without_runs_there_is_a_sentence_and_no_slider(capsys):
    nothing = annotation_budget.collect("smoke", [9])
    assert sliders.annotations(nothing)["views"] == []
    assert sliders.radius(adversarial.collect("smoke", [9])[1])["views"] == []
    assert sliders.budget(review.collect("smoke", [9]))["views"] == []
    sliders.show("nothing", sliders.annotations(nothing), "")
    assert "Markdown" in capsys.readouterr().out


def test_held_data_survives_any_string():
    data = {"name": f"{HOSTILE}<!-- \u2028 é"}
    text = interactive.markup("slider", "x", data, "")
    assert Held(text.split("</style>")[1]).data == data
    with pytest.raises(ValueError, match="not JSON compliant"):
        interactive.markup("slider", "x", {"value": float("nan")}, "")


def test_a_sheet_holds_every_image_in_order():
    images = np.repeat(np.linspace(0, 250, 7).astype(np.uint8), 16 * 16 * 3).reshape(7, 16, 16, 3)
    tiles = np.asarray(Image.open(io.BytesIO(atlas.sheet(images))).convert("L"), np.int64)
    wide = atlas.columns(7)
    for i in range(7):
        y, x = 16 * (i // wide) + 8, 16 * (i % wide) + 8
        assert abs(tiles[y, x] - int(images[i, 0, 0, 0])) < 12
