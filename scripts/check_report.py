#!/usr/bin/env python3
"""Opens a report in headless Chromium and checks it: no console errors, no requests, hover, hide, sort, keys, phone width, speed.

Needs playwright==1.65.2 from PyPI and a Chromium (Debian's will do):

    lrsched report results/… -o report.html
    python scripts/check_report.py report.html [--shots FOLDER] [--seconds 2]
"""
import argparse
import pathlib
import shutil
import sys
import time

from playwright.sync_api import sync_playwright

arguments = argparse.ArgumentParser()
arguments.add_argument("page", type=pathlib.Path)
arguments.add_argument("--shots", type=pathlib.Path, help="a folder for screenshots")
arguments.add_argument("--seconds", type=float, default=2, help="time limit for painting the page")
arguments = arguments.parse_args()
page_path, shots = arguments.page.resolve(), arguments.shots
chromium = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
faults = []


def check(what, holds):
    print(("ok    " if holds else "FAULT ") + what)
    if not holds:
        faults.append(what)


def shot(page, name, **options):
    if shots:
        page.screenshot(path=shots / f"{name}.png", **options)


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    for name, width, height, scheme in [("wide", 1400, 900, "light"), ("dark", 1400, 900, "dark"), ("phone", 390, 844, "light")]:
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=name == "phone")
        trouble, requests = [], []
        # Chromium warns about this check's own reading of pixels.
        own = "willReadFrequently"
        page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") and own not in m.text else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        started = time.monotonic()
        page.goto(page_path.as_uri())
        # After two frames everything has been painted.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seconds = time.monotonic() - started
        check(f"{name}: painted after {seconds:.2f} s (under {arguments.seconds:g})", seconds < arguments.seconds)
        shot(page, name)
        shot(page, f"{name}-whole", full_page=True)

        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        check(f"{name}: no horizontal overflow ({overflow} px)", overflow <= 0)
        ink = """(canvas) => { const p = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
                 let n = 0; for (let i = 3; i < p.length; i += 4) n += p[i] > 0; return n; }"""
        canvases = page.query_selector_all(".stage canvas:first-child")
        check(f"{name}: every chart is drawn", canvases and all(canvas.evaluate(ink) > 500 for canvas in canvases))

        legend = page.query_selector_all("#legend button[aria-pressed]")
        if legend:
            chart = canvases[-1] if len(canvases) < 5 else canvases[4]
            chart.scroll_into_view_if_needed()
            box = chart.bounding_box()
            place = (box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4)
            page.touchscreen.tap(*place) if name == "phone" else page.mouse.move(*place)
            tip = page.query_selector("#tip")
            check(f"{name}: pointing shows run and values: {tip.inner_text()!r}", tip.is_visible() and any(axis in tip.inner_text() for axis in ("epoch", "trials")))
            shot(page, f"{name}-hover")

            before = chart.evaluate("(canvas) => canvas.toDataURL()")
            legend[0].click()
            check(f"{name}: clicking a legend entry hides its line",
                  legend[0].get_attribute("aria-pressed") == "false" and chart.evaluate("(canvas) => canvas.toDataURL()") != before)
            legend[0].click()
            check(f"{name}: clicking it again shows the line", chart.evaluate("(canvas) => canvas.toDataURL()") == before)

            if name != "phone":
                # Clicking the legend, above, may have scrolled the chart away.
                chart.scroll_into_view_if_needed()
                box = chart.bounding_box()
                # Find a coloured pixel, in the middle column if there is one (a run of one epoch is a dot), and click it.
                hidden = "document.querySelectorAll('#legend [aria-pressed=false]').length"
                spot = page.evaluate("""(canvas) => { const p = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                    const middle = Math.floor(canvas.width / 2), columns = [...Array(canvas.width).keys()].sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
                    for (const x of columns) for (let y = 20; y < canvas.height - 100; y++) { const i = 4 * (y * p.width + x);
                    if (p.data[i + 3] > 200 && Math.max(p.data[i], p.data[i + 1], p.data[i + 2]) - Math.min(p.data[i], p.data[i + 1], p.data[i + 2]) > 60)
                      return [x * canvas.clientWidth / canvas.width, y * canvas.clientHeight / canvas.height]; } return null; }""", chart)
                page.mouse.move(box["x"] + spot[0], box["y"] + spot[1])
                page.mouse.click(box["x"] + spot[0], box["y"] + spot[1])
                check(f"{name}: clicking a line hides it", page.evaluate(hidden) == 1)
                page.get_by_text("Show all").click()
                chart.focus()
                page.keyboard.press("ArrowRight")
                page.keyboard.press("ArrowDown")
                check(f"{name}: arrow keys move along the lines", tip.is_visible())

            marked = page.evaluate("JSON.parse(document.getElementById('data').textContent).charts.find((chart) => chart.marks.some((m) => m.i != null))")
            if marked and name != "phone":
                mark = marked["marks"][0]
                page.query_selector(f"#{marked['id']} canvas").focus()
                line = [series["i"] for series in marked["series"]].index(mark["i"])
                for key in ["ArrowRight"] + ["ArrowDown"] * line + ["ArrowRight"] * int(mark["x"]):
                    page.keyboard.press(key)
                check(f"{name}: the tooltip of the first point after a manual change describes it: {mark['label']!r}", mark["label"] in tip.inner_text())

            # Of trials alone there is one chart, the best so far.
            figure = page.query_selector("figure:has(#curve0), #curve0, .charts figure")
            figure.query_selector("summary").click()
            # The table is created when the details are opened.
            page.wait_for_selector("figure details[open] tbody tr", state="attached", timeout=5000)
            rows = len(figure.query_selector_all("details tbody tr"))
            check(f"{name}: a chart has a table of its numbers ({rows} rows)", rows > 0)
            figure.query_selector("summary").click()

            names = "[...document.querySelectorAll('table.sortable')[0].tBodies[0].rows].map((row) => row.cells[0].textContent)"
            first = page.evaluate(names)
            head = page.query_selector("table.sortable thead th button")
            head.click()
            sorted_names = page.evaluate(names)
            if sorted_names == first:
                # They were in this order; now the other way round.
                head.click()
                sorted_names = page.evaluate(names)
            check(f"{name}: clicking a column header sorts", sorted(sorted_names) == sorted(first) and (len(first) < 3 or sorted_names != first))
        check(f"{name}: no console errors or warnings {trouble[:3]}", not trouble)
        outside = [url for url in requests if not url.startswith(("file:", "data:"))]
        check(f"{name}: no requests beyond the page itself ({len(requests)} in all)", not outside and len(requests) == 1)
        page.close()
    browser.close()

size = page_path.stat().st_size / 1e6
check(f"the file is {size:.2f} MB (under 10)", size < 10)
sys.exit(f"{len(faults)} faults" if faults else 0)
