// Three planes through a point: a map in colours over a CT or density, isodoses, outlines, cross-hair.

import { digits, element } from './show.mjs';

// inferno of matplotlib (N. Smith and S. van der Walt, CC0), as in the report.
const INFERNO = [[0, 0, 4], [33, 12, 74], [86, 16, 110], [137, 34, 106], [187, 55, 84], [227, 89, 50], [249, 140, 10],
  [249, 201, 50], [252, 255, 164]];
export const ISODOSES = ['#5aa0ff', '#00e1e1', '#5af064', '#ffffff', '#ff6edc'];
// M. Okabe and K. Ito, Color universal design (2008).
const SERIES = ['#56b4e9', '#e69f00', '#009e73', '#cc79a7', '#f0e442', '#0072b2', '#d55e00'];
export const seriesColour = (number) => SERIES[number % SERIES.length];
// Most pixels of a picture along its longer side, before it is scaled.
const MOST_PIXELS = 512;

// The axes across, down and through a plane, which way they run, and the letters left, right, top and bottom. The
// patient's right is on the left, as radiologists look at it.
export const PLANES = [
  { name: 'axial', axes: [0, 1, 2], signs: [-1, -1], letters: 'RLAP' },
  { name: 'coronal', axes: [0, 2, 1], signs: [-1, -1], letters: 'RLSI' },
  { name: 'sagittal', axes: [1, 2, 0], signs: [-1, -1], letters: 'APSI' },
];

const within = (value, low, high) => Math.min(Math.max(value, low), high);

export function colour(part) {
  const x = within(part, 0, 1) * (INFERNO.length - 1);
  const i = Math.min(Math.floor(x), INFERNO.length - 2);
  return INFERNO[i].map((a, c) => a + (INFERNO[i + 1][c] - a) * (x - i));
}

// Where a plane lies: its first point, its steps and its pixels.
export function placed(plane, box, at, spacing) {
  const [a, d, t] = plane.axes;
  const lengths = [a, d].map((axis) => box[1][axis] - box[0][axis]);
  const mm = Math.max(spacing, Math.max(...lengths) / MOST_PIXELS);
  const pixels = lengths.map((length) => Math.max(Math.round(length / mm), 1));
  const steps = [0, 1].map((n) => {
    const step = [0, 0, 0];
    step[plane.axes[n]] = plane.signs[n] * lengths[n] / pixels[n];
    return step;
  });
  const from = [0, 0, 0];
  [a, d].forEach((axis, n) => {
    from[axis] = (plane.signs[n] < 0 ? box[1][axis] : box[0][axis]) + steps[n][axis] / 2;
  });
  from[t] = at[t];
  return { from, steps, pixels, lengths };
}

// Which pixels show no map: those below the least density, and those with too large an uncertainty.
function masked(view, raster, map) {
  const { base, leastBase, sigma, dose, mostSigma } = view;
  const least = base && Number.isFinite(leastBase) ? raster(base, false) : null;
  const [errors, doses] = sigma && Number.isFinite(mostSigma) ? [raster(sigma, false), raster(dose, false)] : [];
  return (p) => Number.isNaN(map[p]) || (least && !(least[p] >= leastBase))
    || (errors && !(errors[p] <= mostSigma * doses[p]));
}

function picture(view, map, grey, isMasked, [w, h]) {
  const image = new ImageData(w, h);
  const [low, high] = view.window;
  for (let p = 0; p < w * h; p++) {
    const shade = grey && !Number.isNaN(grey[p]) ? 255 * within((grey[p] - low) / (high - low), 0, 1) : 0;
    let [alpha, paint] = [0, [0, 0, 0]];
    if (!isMasked(p)) {
      const part = Math.sqrt(within(map[p] / view.top, 0, 1));
      const x = within((part - 0.12) / 0.12, 0, 1);
      [alpha, paint] = [view.opacity * x * x * (3 - 2 * x), colour(part)];
    }
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = shade * (1 - alpha) + paint[c] * alpha;
    image.data[4 * p + 3] = 255;
  }
  return image;
}

// Marching squares between the centres of pixels; none where a corner shows no map.
function isoline(context, values, level, [w, h], [sx, sy]) {
  context.beginPath();
  for (let v = 0; v + 1 < h; v++) {
    for (let u = 0; u + 1 < w; u++) {
      const c = [values[v * w + u], values[v * w + u + 1], values[(v + 1) * w + u + 1], values[(v + 1) * w + u]];
      const inside = c.map((value) => value >= level);
      if (inside.every((is) => is === inside[0]) || c.some(Number.isNaN)) continue;
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
}

// Edges of pixels that belong to an organ.
function outline(context, isOf, [w, h], [sx, sy]) {
  const is = (u, v) => u >= 0 && v >= 0 && u < w && v < h && isOf(v * w + u);
  context.beginPath();
  for (let v = 0; v <= h; v++) {
    for (let u = 0; u <= w; u++) {
      const own = is(u, v);
      if (own !== is(u - 1, v)) { context.moveTo(u * sx, v * sy); context.lineTo(u * sx, (v + 1) * sy); }
      if (own !== is(u, v - 1)) { context.moveTo(u * sx, v * sy); context.lineTo((u + 1) * sx, v * sy); }
    }
  }
  context.stroke();
}

function fit(canvas, width, height) {
  const ratio = Math.max(devicePixelRatio || 1, 2);
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  return ratio;
}

function letters(context, canvas, words, ratio) {
  const { width: w, height: h } = canvas;
  const edge = 5 * ratio;
  const places = [[edge, h / 2, 'left', 'middle'], [w - edge, h / 2, 'right', 'middle'], [w / 2, edge, 'center', 'top'],
    [w / 2, h - edge, 'center', 'bottom']];
  context.font = `${13 * ratio}px system-ui, sans-serif`;
  places.forEach(([x, y, align, baseline], n) => {
    Object.assign(context, { textAlign: align, textBaseline: baseline, fillStyle: 'white' });
    context.fillText(words[n], x, y);
  });
}

// Draws a plane. view: map, base, dose, sigma, organs, at, box, spacing, window, top, opacity, levels, …
export function draw(view, plane) {
  const canvas = element(plane.name);
  const place = placed(plane, view.box, view.at, view.spacing);
  const { from, steps, pixels, lengths } = place;
  const width = Math.max(canvas.parentElement.clientWidth, 200);
  const ratio = fit(canvas, width, width * lengths[1] / lengths[0]);
  const raster = (volume, smooth) => volume.raster(from, steps[0], steps[1], pixels, smooth);
  const map = raster(view.map, view.smooth);
  const isMasked = masked(view, raster, map);
  const grey = view.base && raster(view.base, view.smooth);
  const small = new OffscreenCanvas(...pixels);
  small.getContext('2d').putImageData(picture(view, map, grey, isMasked, pixels), 0, 0);
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = view.smooth;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  const scale = [canvas.width / pixels[0], canvas.height / pixels[1]];
  if (view.outlines) {
    context.lineWidth = 1.2 * ratio;
    const labels = view.labels && raster(view.labels, false);
    // The largest first: what surrounds others hides none of their outlines.
    const shown = view.organs.filter((organ) => organ.isShown).sort((a, b) => b.dose.voxels - a.dose.voxels);
    shown.forEach((organ) => {
      const mask = organ.mask && raster(organ.mask, false);
      context.strokeStyle = organ.colour;
      if (mask) outline(context, (p) => mask[p] >= 0.5, pixels, scale);
      else if (labels) outline(context, (p) => labels[p] === organ.label, pixels, scale);
    });
  }
  if (view.levels.length) {
    const doses = raster(view.dose, true).map((value, p) => (isMasked(p) ? NaN : value));
    context.lineWidth = 1.4 * ratio;
    view.levels.forEach((level, n) => {
      context.strokeStyle = ISODOSES[n % ISODOSES.length];
      isoline(context, doses, level, pixels, scale);
    });
  }
  if (view.cross) {
    const [u, v] = [0, 1].map((n) => {
      const axis = plane.axes[n];
      return ((view.at[axis] - from[axis]) / steps[n][axis] + 0.5) * scale[n];
    });
    context.strokeStyle = 'rgba(255, 255, 255, 0.8)';
    context.lineWidth = 0.6 * ratio;
    context.beginPath();
    context.moveTo(u, 0); context.lineTo(u, canvas.height);
    context.moveTo(0, v); context.lineTo(canvas.width, v);
    context.stroke();
  }
  letters(context, canvas, plane.letters, ratio);
}

// The point under a place of a picture.
export function pointAt(view, plane, event) {
  const box = element(plane.name).getBoundingClientRect();
  const parts = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  const point = view.at.slice();
  parts.forEach((part, n) => {
    const axis = plane.axes[n];
    const [low, high] = [view.box[0][axis], view.box[1][axis]];
    point[axis] = plane.signs[n] < 0 ? high - part * (high - low) : low + part * (high - low);
  });
  return point;
}

// The bar of colours up to the top of the scale, with what stands above it.
export function bar(view, unit, ink) {
  const canvas = element('colours');
  const ratio = fit(canvas, canvas.parentElement.clientWidth, 44);
  const context = canvas.getContext('2d');
  for (let x = 0; x < canvas.width; x++) {
    context.fillStyle = `rgb(${colour(x / canvas.width).map(Math.round).join(',')})`;
    context.fillRect(x, 0, 1, 18 * ratio);
  }
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  for (const t of [0, 0.25, 0.5, 0.75, 1]) {
    const align = t === 0 ? 'left' : t === 1 ? 'right' : 'center';
    Object.assign(context, { textAlign: align, textBaseline: 'top', fillStyle: ink });
    context.fillText(`${digits(t * t * view.top)} ${unit}`, t * canvas.width, 22 * ratio);
  }
}
