"use strict";
// Draws the slices of the report. Axes run to the patient's left, back and head.
(async () => {
  const data = JSON.parse(document.getElementById("voxels").textContent);
  const byId = (id) => document.getElementById(id);
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  };
  const dose = new DataView(await unpack(data.dose));
  const density = data.density && new Uint8Array(await unpack(data.density));
  const labels = data.labels && new Uint8Array(await unpack(data.labels));
  const [nx, ny, nz] = data.shape;
  const index = (at) => at[0] + nx * (at[1] + ny * at[2]);
  const gyAt = (at) => dose.getUint16(2 * index(at), true) / 65535 * data.peak_gy;
  const number = (value) => value === 0 ? "0" : String(Number(value.toPrecision(4)));

  const rgb = (css) => [1, 3, 5].map((i) => parseInt(css.slice(i, i + 2), 16));
  const anchors = data.dose_colours.map(rgb);
  const doseColour = (t) => {
    const x = Math.min(Math.max(t, 0), 1) * (anchors.length - 1);
    const i = Math.min(Math.floor(x), anchors.length - 2);
    return anchors[i].map((a, c) => a + (anchors[i + 1][c] - a) * (x - i));
  };

  const state = {
    at: data.at.slice(), top: data.peak_gy || 1, opacity: 0.7, low: 0.85, high: 1.25,
    levels: data.isodoses_gy, cross: true, outlines: true, axis: 0,
  };
  // A plane: the axes across, down and through it; whether down runs against its axis; letters left, right, top, bottom.
  const planes = [
    { name: "axial", axes: [0, 1, 2], up: false, letters: "RLAP" },
    { name: "coronal", axes: [0, 2, 1], up: true, letters: "RLSI" },
    { name: "sagittal", axes: [1, 2, 0], up: true, letters: "APSI" },
  ];

  const place = (plane, u, v) => {
    const [across, down, through] = plane.axes;
    const at = [0, 0, 0];
    at[across] = u;
    at[down] = plane.up ? data.shape[down] - 1 - v : v;
    at[through] = state.at[through];
    return at;
  };

  const smooth = (t) => { const x = Math.min(Math.max(t, 0), 1); return x * x * (3 - 2 * x); };

  const picture = (plane) => {
    const [w, h] = [data.shape[plane.axes[0]], data.shape[plane.axes[1]]];
    const image = new ImageData(w, h);
    const values = new Float32Array(w * h);
    for (let v = 0; v < h; v++) {
      for (let u = 0; u < w; u++) {
        const at = place(plane, u, v), i = index(at), gy = gyAt(at), p = v * w + u;
        values[p] = gy;
        const grey = density ? 255 * Math.min(Math.max((density[i] / 100 - state.low) / (state.high - state.low), 0), 1) : 0;
        const t = Math.sqrt(Math.min(gy / state.top, 1));
        const alpha = state.opacity * smooth((t - 0.12) / 0.12), colour = doseColour(t);
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = grey * (1 - alpha) + colour[c] * alpha;
        image.data[4 * p + 3] = 255;
      }
    }
    return { image, values, w, h };
  };

  // Marching squares between the centres of pixels.
  const isoline = (context, { values, w, h }, level, sx, sy) => {
    context.beginPath();
    for (let v = 0; v + 1 < h; v++) {
      for (let u = 0; u + 1 < w; u++) {
        const c = [values[v * w + u], values[v * w + u + 1], values[(v + 1) * w + u + 1], values[(v + 1) * w + u]];
        const inside = c.map((value) => value >= level);
        const cut = (e) => {
          const t = (level - c[e]) / (c[(e + 1) % 4] - c[e]);
          return [[t, 0], [1, t], [1 - t, 1], [0, 1 - t]][e];
        };
        let edges = [0, 1, 2, 3].filter((e) => inside[e] !== inside[(e + 1) % 4]);
        if (edges.length === 4 && ((c[0] + c[1] + c[2] + c[3]) / 4 >= level) !== inside[0]) edges = [3, 0, 1, 2];
        for (let k = 0; k + 1 < edges.length; k += 2) {
          const [[a, b], [d, e]] = [cut(edges[k]), cut(edges[k + 1])];
          context.moveTo((u + 0.5 + a) * sx, (v + 0.5 + b) * sy);
          context.lineTo((u + 0.5 + d) * sx, (v + 0.5 + e) * sy);
        }
      }
    }
    context.stroke();
  };

  const outline = (context, plane, w, h, sx, sy) => {
    const label = (u, v) => u < 0 || v < 0 || u >= w || v >= h ? 0 : labels[index(place(plane, u, v))];
    context.beginPath();
    for (let v = 0; v <= h; v++) {
      for (let u = 0; u <= w; u++) {
        const own = label(u, v);
        if (own !== label(u - 1, v)) { context.moveTo(u * sx, v * sy); context.lineTo(u * sx, (v + 1) * sy); }
        if (own !== label(u, v - 1)) { context.moveTo(u * sx, v * sy); context.lineTo((u + 1) * sx, v * sy); }
      }
    }
    context.stroke();
  };

  const text = (context, words, x, y, align, baseline, colour) => {
    context.textAlign = align;
    context.textBaseline = baseline;
    context.fillStyle = colour;
    context.fillText(words, x, y);
  };

  const fit = (canvas, width, height) => {
    const ratio = Math.max(window.devicePixelRatio || 1, 2);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    return ratio;
  };

  const draw = (plane) => {
    const canvas = byId(plane.name), drawn = picture(plane), { image, w, h } = drawn;
    const [mmAcross, mmDown] = [data.spacing_mm[plane.axes[0]], data.spacing_mm[plane.axes[1]]];
    const width = Math.max(canvas.parentElement.clientWidth, 200);
    const ratio = fit(canvas, width, width * (h * mmDown) / (w * mmAcross));
    const context = canvas.getContext("2d");
    const small = new OffscreenCanvas(w, h);
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    const [sx, sy] = [canvas.width / w, canvas.height / h];
    if (labels && state.outlines) {
      context.strokeStyle = "rgba(255, 255, 255, 0.55)";
      context.lineWidth = 0.7 * ratio;
      outline(context, plane, w, h, sx, sy);
    }
    context.lineWidth = 1.2 * ratio;
    state.levels.forEach((level, i) => {
      context.strokeStyle = data.line_colours[i % data.line_colours.length];
      isoline(context, drawn, level, sx, sy);
    });
    const down = plane.axes[1];
    const u = state.at[plane.axes[0]], v = plane.up ? data.shape[down] - 1 - state.at[down] : state.at[down];
    if (state.cross) {
      context.strokeStyle = "rgba(255, 255, 255, 0.8)";
      context.lineWidth = 0.6 * ratio;
      context.beginPath();
      context.moveTo((u + 0.5) * sx, 0); context.lineTo((u + 0.5) * sx, canvas.height);
      context.moveTo(0, (v + 0.5) * sy); context.lineTo(canvas.width, (v + 0.5) * sy);
      context.stroke();
    }
    context.font = `${13 * ratio}px system-ui, sans-serif`;
    const [left, right, top, bottom] = plane.letters, edge = 5 * ratio;
    text(context, left, edge, canvas.height / 2, "left", "middle", "white");
    text(context, right, canvas.width - edge, canvas.height / 2, "right", "middle", "white");
    text(context, top, canvas.width / 2, edge, "center", "top", "white");
    text(context, bottom, canvas.width / 2, canvas.height - edge, "center", "bottom", "white");
    const slider = byId(`${plane.name}-slice`), through = plane.axes[2];
    slider.value = state.at[through];
    slider.setAttribute("aria-valuetext", `${data.words.slice} ${state.at[through] + 1} / ${data.shape[through]}`);
  };

  const legend = () => {
    const canvas = byId("colours"), width = canvas.parentElement.clientWidth, ratio = fit(canvas, width, 44);
    const context = canvas.getContext("2d"), bar = 18 * ratio;
    for (let x = 0; x < canvas.width; x++) {
      context.fillStyle = `rgb(${doseColour(x / canvas.width).map(Math.round).join(",")})`;
      context.fillRect(x, 0, 1, bar);
    }
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    for (const t of [0, 0.25, 0.5, 0.75, 1]) {
      const align = t === 0 ? "left" : t === 1 ? "right" : "center";
      text(context, `${number(Number((t * t * state.top).toPrecision(3)))} Gy`, t * canvas.width, bar + 4 * ratio, align, "top", data.ink);
    }
    const list = byId("levels");
    list.replaceChildren(...state.levels.map((level, i) => {
      const item = document.createElement("li"), line = document.createElement("span");
      line.style.background = data.line_colours[i % data.line_colours.length];
      item.append(line, `${number(level)} Gy`);
      return item;
    }));
  };

  const profile = () => {
    const canvas = byId("profile"), ratio = fit(canvas, canvas.clientWidth || 600, 260), context = canvas.getContext("2d");
    const n = data.shape[state.axis], step = data.spacing_mm[state.axis];
    const values = Array.from({ length: n }, (_, i) => {
      const at = state.at.slice();
      at[state.axis] = i;
      return gyAt(at);
    });
    const most = Math.max(...values) || 1, [l, r, t, b] = [72, 14, 12, 44].map((v) => v * ratio);
    // Ticks at 1, 2 or 5 times a power of ten.
    const tick = (span, count) => {
      const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
      return [1, 2, 5, 10].map((digit) => digit * power).find((one) => one >= rough);
    };
    const ofDose = tick(most, 4), ofLength = tick(Math.max((n - 1) * step, 1), 6), top = ofDose * Math.ceil(most / ofDose);
    const x = (i) => l + (canvas.width - l - r) * i / Math.max(n - 1, 1);
    const y = (gy) => canvas.height - b - (canvas.height - t - b) * gy / top;
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    context.lineWidth = ratio;
    context.strokeStyle = data.grid;
    for (let i = 0; i * ofDose <= top * 1.0001; i++) {
      context.beginPath();
      context.moveTo(l, y(i * ofDose)); context.lineTo(canvas.width - r, y(i * ofDose));
      context.stroke();
      text(context, number(i * ofDose), l - 6 * ratio, y(i * ofDose), "right", "middle", data.ink);
    }
    for (let mm = 0; mm <= (n - 1) * step; mm += ofLength) {
      context.beginPath();
      context.moveTo(x(mm / step), t); context.lineTo(x(mm / step), canvas.height - b);
      context.stroke();
      text(context, number(mm), x(mm / step), canvas.height - b + 5 * ratio, "center", "top", data.ink);
    }
    text(context, data.words.position, (l + canvas.width - r) / 2, canvas.height - 4 * ratio, "center", "bottom", data.ink);
    context.save();
    context.translate(12 * ratio, (t + canvas.height - b) / 2);
    context.rotate(-Math.PI / 2);
    text(context, data.words.axis_dose, 0, 0, "center", "middle", data.ink);
    context.restore();
    context.strokeStyle = data.series;
    context.lineWidth = 2 * ratio;
    context.beginPath();
    values.forEach((gy, i) => context.lineTo(x(i), y(gy)));
    context.stroke();
    context.strokeStyle = data.ink;
    context.lineWidth = ratio;
    context.setLineDash([4 * ratio, 4 * ratio]);
    context.beginPath();
    context.moveTo(x(state.at[state.axis]), t); context.lineTo(x(state.at[state.axis]), canvas.height - b);
    context.stroke();
  };

  const readout = () => {
    const i = index(state.at), parts = [`${data.words.dose} ${number(gyAt(state.at))} Gy`];
    if (density) parts.push(`${data.words.density} ${(density[i] / 100).toFixed(2)} g/cm³`);
    if (labels && labels[i]) parts.push(`${data.words.organ} ${data.names[labels[i] - 1]}`);
    byId("readout").textContent = parts.join(" · ");
  };

  let asked = false;
  const redraw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      planes.forEach(draw);
      legend();
      profile();
      readout();
    });
  };
  const move = (axis, to) => {
    state.at[axis] = Math.min(Math.max(to, 0), data.shape[axis] - 1);
    redraw();
  };

  for (const plane of planes) {
    const [across, down, through] = plane.axes, canvas = byId(plane.name), slider = byId(`${plane.name}-slice`);
    slider.max = data.shape[through] - 1;
    slider.addEventListener("input", () => move(through, Number(slider.value)));
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const u = Math.floor((event.clientX - box.left) / box.width * data.shape[across]);
      const v = Math.floor((event.clientY - box.top) / box.height * data.shape[down]);
      move(across, u);
      move(down, plane.up ? data.shape[down] - 1 - v : v);
    });
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas) return;
      event.preventDefault();
      move(through, state.at[through] + Math.sign(event.deltaY));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const v = plane.up ? -1 : 1;
      const steps = {
        ArrowLeft: [across, -1], ArrowRight: [across, 1], ArrowUp: [down, -v], ArrowDown: [down, v],
        PageUp: [through, 1], PageDown: [through, -1],
      };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      move(step[0], state.at[step[0]] + step[1]);
    });
  }
  const on = (id, event, set) => byId(id).addEventListener(event, () => { set(byId(id)); redraw(); });
  on("cross", "change", (input) => { state.cross = input.checked; });
  on("outlines", "change", (input) => { state.outlines = input.checked; });
  on("opacity", "input", (input) => { state.opacity = Number(input.value); });
  on("top", "change", (input) => { if (Number(input.value) > 0) state.top = Number(input.value); });
  on("isodoses", "change", (input) => {
    const given = input.value.split(/[\s;]+|,\s+|,(?=\d*$)/).map((word) => Number(word.replace(",", ".")));
    state.levels = given.filter((gy) => gy > 0).slice(0, data.line_colours.length);
  });
  on("axis", "change", (input) => { state.axis = Number(input.value); });
  on("low", "change", (input) => { if (Number(input.value) < state.high) state.low = Number(input.value); });
  on("high", "change", (input) => { if (Number(input.value) > state.low) state.high = Number(input.value); });
  on("window", "change", (input) => {
    [state.low, state.high] = input.value.split(" ").map(Number);
    byId("low").value = state.low;
    byId("high").value = state.high;
  });
  byId("low").value = state.low;
  byId("high").value = state.high;
  byId("top").value = number(state.top);
  byId("isodoses").value = state.levels.map(number).join(" ");
  byId("outlines").parentElement.hidden = !labels;
  document.querySelectorAll("label.density").forEach((label) => { label.hidden = !density; });
  byId("viewer").hidden = false;
  addEventListener("resize", redraw);
  addEventListener("beforeprint", () => { planes.forEach(draw); legend(); profile(); });
  redraw();
})();
