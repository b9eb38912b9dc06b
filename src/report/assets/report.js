"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  // More lines than can be told apart: the page begins with the best.
  const hidden = new Set([...data.entrants.keys()].filter((i) => i >= data.shown));
  const DASHES = [[], [7, 3], [2, 2.5], [9, 2.5, 2, 2.5]];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (i) => (i < 0 ? css("--grey") : css("--c" + (i % 7)));
  const dash = (i) => (i < 0 ? [] : DASHES[Math.floor(i / 7) % 4]);
  const sample = (i) => `<svg width="26" height="8" aria-hidden="true"><line x1="0" y1="4" x2="26" y2="4" stroke="var(${i < 0 ? "--grey" : "--c" + (i % 7)})" stroke-width="2.4" stroke-dasharray="${dash(i).join(" ")}"/></svg>`;
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const number = (v) => {
    if (v === null || v === undefined) return "–";
    if (v === 0) return "0";
    const size = Math.abs(v);
    // The notation of the tables: plain from 0.0001 to a million.
    const plain = size >= 1e-4 && size < 1e6;
    return plain ? String(Number(v.toPrecision(4))) : v.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
  };

  // Maps values to positions along an axis; ticks at 1, 2, 5 times a power of ten.
  const axis = (low, high, log, from, to, edge) => {
    if (!(low <= high)) [low, high] = log ? [0.1, 1] : [0, 1];
    if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - (Math.abs(low) / 2 || 0.5), high + (Math.abs(high) / 2 || 0.5)];
    const f = log ? Math.log10 : (v) => v;
    const [a, b] = [f(low), f(high)];
    // A rate of 0 lies on the lower edge of a log axis.
    const place = (v) => (v === null || v === undefined ? NaN : edge && log && v >= 0 && v < low ? from : log && v <= 0 ? NaN : from + ((f(v) - a) / (b - a)) * (to - from));
    const value = (p) => a + ((p - from) / (to - from)) * (b - a);
    const ticks = (most) => {
      const list = [];
      if (log && Math.floor(b) - Math.ceil(a) >= 1) {
        const stride = Math.ceil((Math.floor(b) - Math.ceil(a) + 1) / most);
        for (let k = Math.ceil(a); k <= b; k++) if (k % stride === 0) list.push(10 ** k);
        return list;
      }
      const rough = (high - low) / most, size = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= rough * 0.999);
      for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) list.push(k * step);
      return list;
    };
    return { place, value, ticks, low, high, log };
  };

  const tip = make("div", { id: "tip", role: "status", hidden: "" });
  document.body.append(tip);

  const charts = data.charts.map((spec) => {
    const figure = document.getElementById(spec.id);
    const [base, over] = figure.querySelectorAll("canvas");
    const shown = () => spec.series.filter((s) => !(spec.shared && hidden.has(s.i)));
    const xs = (s) => s.x || spec.x;
    // The marks of hidden lines are hidden; more than six marks have no labels, which would cover the lines.
    const marked = () => (spec.marks || []).filter((m) => m.i == null || !hidden.has(m.i));
    const labelled = () => marked().length <= 6;
    let view = null;

    const range = (values, log) => {
      let low = Infinity, high = -Infinity;
      for (const v of values) if (v !== null && (!log || v > 0)) { if (v < low) low = v; if (v > high) high = v; }
      return [low, high];
    };
    const all = function* (list, pick) { for (const s of list) for (const v of pick(s)) yield v; };

    // A value and the ends of its band.
    const heights = (s) => (s.s ? [...s.y, ...s.y.flatMap((v, k) => (v === null || s.s[k] === null ? [] : [v - s.s[k], v + s.s[k]]))] : s.y);

    const layout = () => {
      const width = base.clientWidth, height = base.clientHeight, list = shown();
      let [low, high] = range(all(list, heights), false), log = false;
      if (spec.kind === "rate") {
        const [least, most] = range(all(list, (s) => s.y), true);
        if (least < most / 20) { log = true; low = Math.max(least, most * 1e-5) / 1.3; high = most * 1.3; }
      } else if (spec.kind === "loss") {
        const sorted = [...all(list, (s) => s.y)].filter((v) => v !== null).sort((a, b) => a - b);
        const most = sorted[Math.floor((sorted.length - 1) * 0.9)];
        if (sorted[sorted.length - 1] > 2 * most) {
          // Show the whole band of every value that is in range.
          high = most * 1.5;
          for (const s of list) if (s.s) s.y.forEach((v, k) => { if (v !== null && v <= most && s.s[k] !== null) high = Math.max(high, v + s.s[k]); });
        }
      }
      if (spec.range) [low, high] = spec.range;
      else if (!log && high > low) { const room = (high - low) * 0.04; low = low >= 0 ? Math.max(0, low - room) : low - room; high += room; }
      // Leave room for the labels of marks above the lines.
      if (marked().length && labelled()) high = log ? high * (high / low) ** 0.2 : high + (high - low) * 0.2;
      const [x0, x1] = range(all(list, xs), spec.logx);
      const y = axis(low, high, log, height - 40, 8, spec.kind === "rate");
      const labels = y.ticks(Math.max(2, Math.floor((height - 48) / 32)));
      const context = base.getContext("2d");
      context.font = "11px system-ui, sans-serif";
      const left = Math.max(...labels.map((v) => context.measureText(number(v)).width), 10) + 12;
      return { width, height, left, list, y, labels, x: axis(x0, x1, spec.logx, left, width - 10) };
    };

    // The points of a line; null is a gap.
    const places = (s, v) => s.y.map((value, k) => { const at = [v.x.place(xs(s)[k]), v.y.place(value)]; return Number.isFinite(at[0] + at[1]) ? at : null; });

    // Whether a piece of a line passes within a pixel of a point; a piece goes from left to right.
    const passes = ({ a, b }, [px, py]) => {
      if (a[0] > px + 0.6 || b[0] < px - 0.6) return false;
      const height = (x) => a[1] + Math.min(1, Math.max(0, (x - a[0]) / (b[0] - a[0]))) * (b[1] - a[1]);
      const [up, down] = b[0] > a[0] ? [height(px - 0.6), height(px + 0.6)] : [a[1], b[1]];
      return Math.min(up, down) - 1 <= py && py <= Math.max(up, down) + 1;
    };

    // Overlapping lines alternate, so that none hides another, as in the pictures (take_turns in lines.rs).
    // Returns the pieces of each line, and whether each is drawn.
    const TURN = 11;
    const turns = (lines, left) => {
      const columns = new Map();
      const pieces = lines.map((line, own) => {
        const list = [];
        const add = (a, b) => {
          const piece = { a, b, drawn: true }, turn = Math.floor(((a[0] + b[0]) / 2 - left) / TURN);
          if (!columns.has(turn)) columns.set(turn, new Map());
          const column = columns.get(turn);
          if (!column.has(own)) column.set(own, []);
          column.get(own).push(piece);
          list.push(piece);
        };
        line.forEach((q, k) => {
          const p = k ? line[k - 1] : null;
          if (!q) return;
          if (!p) { if (!line[k + 1]) list.push({ a: q, b: q, drawn: true, alone: true }); return; }
          let from = p;
          for (let t = Math.floor((p[0] - left) / TURN) + 1; ; t++) {
            const x = left + t * TURN;
            const end = x < q[0] ? [x, p[1] + ((x - p[0]) / (q[0] - p[0])) * (q[1] - p[1])] : q;
            add(from, end);
            from = end;
            if (end === q) break;
          }
        });
        return list;
      });
      const liesOn = ({ a, b }, line) => [a, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], b].every((at) => line.some((piece) => passes(piece, at)));
      for (const [turn, column] of columns) {
        const list = [...column.values()], cluster = list.map((_, i) => i);
        const extents = list.map((line) => range(line.flatMap(({ a, b }) => [a[1], b[1]]), false));
        const touch = (i, j) => extents[i][0] <= extents[j][1] + 1 && extents[j][0] <= extents[i][1] + 1 &&
          (list[i].some((piece) => liesOn(piece, list[j])) || list[j].some((piece) => liesOn(piece, list[i])));
        for (let i = 0; i < list.length; i++) for (let j = i + 1; j < list.length; j++) {
          const [one, other] = [cluster[i], cluster[j]];
          if (one !== other && touch(i, j)) cluster.forEach((of, k) => { if (of === other) cluster[k] = one; });
        }
        list.forEach((_, of) => {
          const own = list.filter((_, i) => cluster[i] === of), first = own.length && turn % own.length;
          const above = [];
          for (const line of [...own.slice(first), ...own.slice(0, first)]) {
            // Only drawn pieces hide others: overlap is not transitive.
            for (const piece of line) piece.drawn = !above.some((other) => liesOn(piece, other));
            above.push(line.filter((piece) => piece.drawn));
          }
        });
      }
      return pieces;
    };

    const stroke = (context, pieces) => {
      context.beginPath();
      let pen = null;
      for (const { a, b, drawn, alone } of pieces) {
        if (!drawn) continue;
        if (pen !== a) context.moveTo(...a);
        if (alone) context.arc(...a, 1.2, 0, 7); else context.lineTo(...b);
        pen = b;
      }
      context.stroke();
    };

    const path = (context, s, v) => {
      context.beginPath();
      let pen = false;
      for (let k = 0; k < s.y.length; k++) {
        const px = v.x.place(xs(s)[k]), py = v.y.place(s.y[k]);
        if (!Number.isFinite(px + py)) { pen = false; continue; }
        if (pen) context.lineTo(px, py); else { context.moveTo(px, py); if (!Number.isFinite(v.y.place(s.y[k + 1]))) context.arc(px, py, 1.2, 0, 7); }
        pen = true;
      }
      context.stroke();
    };

    // A gap in the line is a gap in the band.
    const band = (context, s, v, opacity) => {
      if (!s.s) return;
      context.fillStyle = colour(s.i);
      context.globalAlpha = opacity;
      let run = [];
      const flush = () => {
        if (run.length > 1) {
          context.beginPath();
          run.forEach(([px, up], k) => (k ? context.lineTo(px, up) : context.moveTo(px, up)));
          run.reverse().forEach(([px, , down]) => context.lineTo(px, down));
          context.fill();
        }
        run = [];
      };
      s.y.forEach((mean, k) => {
        const known = mean !== null && s.s[k] !== null;
        const px = v.x.place(xs(s)[k]), up = v.y.place(known ? mean + s.s[k] : null), down = v.y.place(known ? mean - s.s[k] : null);
        if (Number.isFinite(px + up + down)) run.push([px, up, down]); else flush();
      });
      flush();
      context.globalAlpha = 1;
    };

    const clear = (canvas) => {
      const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      const context = canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      return context;
    };

    const clip = (context, v) => { context.beginPath(); context.rect(v.left, 8, v.width - 10 - v.left, v.height - 48); context.clip(); };

    // Vertical lines; each label goes into the first row from the top in which it touches no other.
    const marks = (context, v, ink) => {
      const rows = [];
      context.textAlign = "left";
      for (const mark of marked()) {
        const px = v.x.place(mark.x), own = mark.i == null ? ink : colour(mark.i);
        context.strokeStyle = own;
        context.lineWidth = 1.1;
        context.setLineDash([4, 3]);
        context.beginPath(); context.moveTo(px, 8); context.lineTo(px, v.height - 40); context.stroke();
        if (!labelled()) continue;
        const wide = context.measureText(mark.label).width, right = v.width - 12;
        const from = px + wide + 6 > right ? Math.max(v.left + 3, px - wide - 5) : px + 5;
        const row = rows.findIndex((taken) => taken.every(([a, b]) => from > b + 6 || from + wide + 6 < a));
        const k = row < 0 ? rows.push([]) - 1 : row;
        rows[k].push([from, from + wide]);
        context.fillStyle = css("--panel");
        context.fillRect(from - 2, 10 + k * 14, wide + 4, 14);
        context.fillStyle = own;
        context.fillText(mark.label, from, 17 + k * 14);
      }
    };

    const draw = () => {
      const context = clear(base);
      const v = (view = layout());
      const [grid, soft, line] = [css("--grid"), css("--soft"), css("--line")];
      context.font = "11px system-ui, sans-serif";
      context.lineWidth = 1;
      context.textAlign = "right";
      context.textBaseline = "middle";
      const rule = (x0, y0, x1, y1) => { context.beginPath(); context.moveTo(x0, y0); context.lineTo(x1, y1); context.stroke(); };
      for (const value of v.labels) {
        const py = v.y.place(value);
        context.strokeStyle = grid; rule(v.left, py, v.width - 10, py);
        context.fillStyle = soft; context.fillText(number(value), v.left - 6, py);
      }
      context.textAlign = "center";
      const whole = !spec.logx && spec.x && spec.x.length;
      for (const value of v.x.ticks(Math.max(2, Math.floor((v.width - v.left) / 70)))) {
        if (whole && !Number.isInteger(Number(value.toPrecision(9)))) continue;
        const px = v.x.place(value);
        context.strokeStyle = grid; rule(px, 8, px, v.height - 40);
        context.fillStyle = soft; context.fillText(number(value), px, v.height - 29);
      }
      context.fillText(spec.xlabel, (v.left + v.width - 10) / 2, v.height - 11);
      context.save();
      clip(context, v);
      const bands = v.list.filter((s) => s.s);
      for (const s of bands) {
        band(context, s, v, bands.length > 6 ? 0.07 : 0.16);
      }
      context.lineJoin = "round";
      // Every pair of lines is compared: with very many, the page would freeze, and no line could be followed.
      const pieces = spec.shared && v.list.length > 1 && v.list.length <= 2 * data.shown ? turns(v.list.map((s) => places(s, v)), v.left) : null;
      for (const s of [...v.list].reverse()) {
        context.strokeStyle = colour(s.i);
        context.lineWidth = s.i < 0 ? 0.8 : v.list.length > 40 ? 1 : 1.7;
        context.setLineDash(dash(s.i));
        if (pieces) stroke(context, pieces[v.list.indexOf(s)]); else path(context, s, v);
      }
      marks(context, v, soft);
      context.restore();
      context.setLineDash([]);
      context.strokeStyle = line;
      context.lineWidth = 1;
      context.strokeRect(v.left, 8, v.width - 10 - v.left, v.height - 48);
      clear(over);
    };

    // The visible line nearest to a position, and its nearest point.
    const nearest = (px, py) => {
      let found = null;
      const off = (x, y) => (x - px) * (x - px) + (y - py) * (y - py);
      for (const s of view.list) {
        const x = xs(s), place = (k) => [view.x.place(x[k]), view.y.place(s.y[k])];
        const take = (k, distance) => { if (Number.isFinite(distance) && (!found || distance < found.distance)) found = { s, k, distance }; };
        let a = 0, b = s.y.length - 1;
        // Epochs are sorted, so bisect; the rates of a range test may rise and fall.
        if (spec.x) for (const wanted = view.x.value(px); b - a > 1; ) { const m = (a + b) >> 1; if (x[m] < wanted) a = m; else b = m; }
        for (let k = a; k <= b; k++) {
          const [x1, y1] = place(k);
          take(k, off(x1, y1));
          if (k === a) continue;
          // With few epochs, segments are long: measure the distance to the segment, not only to its ends.
          const [x0, y0] = place(k - 1), dx = x1 - x0, dy = y1 - y0;
          const t = Math.min(1, Math.max(0, ((px - x0) * dx + (py - y0) * dy) / (dx * dx + dy * dy)));
          take(t < 0.5 ? k - 1 : k, off(x0 + t * dx, y0 + t * dy));
        }
      }
      return found;
    };

    const show = (found) => {
      const context = clear(over);
      tip.hidden = !found;
      if (!found) return;
      const { s, k } = found, px = view.x.place(xs(s)[k]), py = view.y.place(s.y[k]);
      context.save();
      clip(context, view);
      band(context, s, view, 0.28);
      context.strokeStyle = colour(s.i);
      context.lineWidth = 3.2;
      context.lineJoin = "round";
      context.setLineDash(dash(s.i));
      path(context, s, view);
      context.restore();
      context.fillStyle = colour(s.i);
      context.beginPath(); context.arc(px, py, 4.5, 0, 7); context.fill();
      const spread = s.s && s.s[k] !== null ? " ± " + number(s.s[k]) : "";
      const n = s.n ? " (n = " + s.n + ")" : "";
      const changed = marked().filter((m) => m.i === s.i && m.x === (s.x ? Math.floor(xs(s)[k]) : xs(s)[k])).map((m) => make("div", {}, m.label));
      tip.replaceChildren(make("b", {}, s.name), `${spec.xlabel} ${number(xs(s)[k])}: ${spec.ylabel} ${number(s.y[k])}${spread}${n}`, ...changed);
      const box = base.getBoundingClientRect(), page = document.documentElement.clientWidth;
      const x = box.left + px + 14, flip = x + tip.offsetWidth > page - 8;
      tip.style.left = Math.max(6, (flip ? box.left + px - tip.offsetWidth - 14 : x)) + window.scrollX + "px";
      tip.style.top = box.top + py - tip.offsetHeight - 12 + window.scrollY + "px";
    };

    let held = null;
    const at = (event) => { const box = base.getBoundingClientRect(); return nearest(event.clientX - box.left, event.clientY - box.top); };
    base.addEventListener("pointermove", (event) => { if (event.pointerType !== "touch") show((held = at(event))); });
    base.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") show((held = null)); });
    // A tap shows values; a click on a line hides it.
    base.addEventListener("click", (event) => {
      const found = at(event);
      if (event.pointerType === "touch" || !spec.shared || !found || found.distance > 64) show((held = found));
      else { show((held = null)); toggle(found.s.i); }
    });
    base.addEventListener("blur", () => show((held = null)));
    base.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (event.key === "Escape") return show((held = null));
      if (!move || !view.list.length) return;
      event.preventDefault();
      const list = view.list, line = held ? Math.max(0, list.indexOf(held.s)) : 0;
      const s = list[(line + move[0] + list.length) % list.length];
      let k = held ? held.k + move[1] : 0;
      k = Math.min(Math.max(k, 0), s.y.length - 1);
      while (k < s.y.length - 1 && s.y[k] === null) k++;
      show((held = { s, k }));
    });

    const details = figure.querySelector("details");
    // Lines that are not those of the entrants have a legend of their own.
    if (!spec.shared && spec.series.length > 1) {
      const key = make("div", { class: "key" });
      // Series are listed front to back.
      spec.series.forEach((s) => { const one = make("span"); one.innerHTML = sample(s.i); one.append(s.name); key.append(one); });
      details.before(key);
    }

    // The numbers of the chart, created when first opened.
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      const head = make("tr", {}, make("th", { scope: "col" }, spec.xlabel), ...spec.series.map((s) => make("th", { scope: "col" }, s.name)));
      const body = make("tbody");
      if (spec.kind === "rate") {
        // Each line has its own x values: at any other x, show its most recent value.
        const all = [...new Set(spec.series.flatMap(xs))].sort((a, b) => a - b);
        const next = spec.series.map(() => 0);
        for (const value of all) {
          const cells = spec.series.map((s, i) => {
            while (next[i] < s.x.length && s.x[next[i]] <= value) next[i]++;
            return make("td", {}, number(value > s.x[s.x.length - 1] ? null : s.y[next[i] - 1]));
          });
          body.append(make("tr", {}, make("th", { scope: "row" }, number(value)), ...cells));
        }
        details.append(make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), body)));
        return;
      }
      // Tests may end at different rates: the longest has them all.
      const x = spec.x || spec.series.map(xs).reduce((a, b) => (b.length > a.length ? b : a), []);
      x.forEach((value, k) => {
        const cell = (s) => make("td", {}, number(s.y[k]) + (s.s && s.s[k] !== null && s.s[k] !== undefined ? " ± " + number(s.s[k]) : ""));
        body.append(make("tr", {}, make("th", { scope: "row" }, number(value)), ...spec.series.map(cell)));
      });
      details.append(make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), body)));
    });
    return { draw, element: base };
  });

  const redraw = () => charts.forEach((chart) => chart.draw());

  // The legend: one button per entrant.
  const legend = document.getElementById("legend");
  const buttons = new Map();
  const refresh = () => { buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(!hidden.has(i)))); redraw(); };
  const toggle = (i) => { if (!hidden.delete(i)) hidden.add(i); refresh(); };
  if (legend && data.entrants.length) {
    const every = (label, hide) => { const button = make("button", { type: "button" }, label); button.addEventListener("click", () => { hidden.clear(); if (hide) data.entrants.forEach((_, i) => hidden.add(i)); refresh(); }); return button; };
    const items = [every("Show all", false), every("Hide all", true)];
    // Those that were screened out have no curves.
    const drawn = new Set(data.charts.filter((chart) => chart.shared).flatMap((chart) => chart.series.map((s) => s.i)));
    data.entrants.forEach((name, i) => {
      if (!drawn.has(i)) return;
      const button = make("button", { type: "button", "aria-pressed": String(!hidden.has(i)), title: "Show or hide this line" });
      button.innerHTML = sample(i);
      button.append(name);
      button.addEventListener("click", () => toggle(i));
      buttons.set(i, button);
      items.push(button);
    });
    legend.append(...items);
  }

  // Clicking a column header sorts its table; unknown values stay at the end.
  document.querySelectorAll("table.sortable").forEach((table) => {
    table.querySelectorAll("thead th").forEach((head, column) => {
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => { const cell = row.cells[column], v = cell.dataset.v; return v === undefined ? cell.textContent : v === "" ? NaN : Number(v); };
        const compare = (a, b) => {
          if (typeof a === "string") return up ? a.localeCompare(b) : b.localeCompare(a);
          if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
          return up ? a - b : b - a;
        };
        const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
        rows.sort((a, b) => compare(a[0], b[0]));
        table.tBodies[0].append(...rows.map((row) => row[1]));
      });
    });
  });

  document.querySelectorAll("button.copy").forEach((button) => button.addEventListener("click", () => {
    const code = button.parentElement.querySelector("code");
    const done = () => { button.textContent = "Copied"; setTimeout(() => (button.textContent = "Copy"), 1500); };
    // A page opened from a file may not write to the clipboard: select the command instead, ready for Ctrl+C.
    const select = () => getSelection().selectAllChildren(code);
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select); else select();
  }));

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = 0;
  new ResizeObserver(() => { if (document.body.clientWidth !== width) { width = document.body.clientWidth; redraw(); } }).observe(document.body);
})();
