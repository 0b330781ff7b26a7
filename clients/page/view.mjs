// The viewer of one result. The address says which: what follows # is the id of a job.

import { ask, askWho, bytesOf } from './ask.mjs';
import { ISODOSES, PLANES, bar, draw, pointAt, seriesColour } from './planes.mjs';
import { digits, element, made, say } from './show.mjs';
import { histograms, organTable, provenance, warnings } from './tables.mjs';
import { Volume, sizeOf } from './volume.mjs';

// Most bytes of all volumes that a page takes.
const MOST_BYTES = 2 ** 31;
// Isodoses at first, as parts of the maximum.
const FIRST = [0.1, 0.25, 0.5, 0.75, 0.9];
const WINDOWS = {
  ct: { unit: 'HU', name: 'CT (HU)', sets: [['soft tissue', -160, 240], ['lung', -1350, 150], ['bone', -450, 1050]] },
  density: {
    unit: 'g/cm³', name: 'Density (g/cm³)',
    sets: [['soft tissue', 0.85, 1.25], ['lung', 0, 1.2], ['bone', 0.8, 2.2]],
  },
};

const view = {
  at: [0, 0, 0], opacity: 0.7, levels: [], cross: true, outlines: true, smooth: false, mostSigma: NaN, organs: [],
};
const volumes = {};
const units = { dose: 'Gy', sigma: 'Gy', weighted: 'Gy (RBE)' };
const names = { dose: 'dose', sigma: 'σ of the dose', weighted: 'weighted dose', activity: 'activity' };

const number = (value) => (Number.isFinite(value) ? digits(value) : 'none');

// What stands at a point, in words.
function words(point) {
  const { dose, sigma, weighted, activity, density, ct } = volumes;
  const voxel = dose.voxelOf(point);
  const gy = dose.valueAt(point);
  const parts = [`x, y, z ${point.map((mm) => mm.toFixed(1)).join(', ')} mm`];
  parts.push(voxel ? `voxel ${voxel.join(', ')}: dose ${number(gy)} Gy` : 'outside the grid of the dose');
  if (voxel && sigma) {
    const gySigma = sigma.valueAt(point);
    parts.push(`σ ${number(gySigma)} Gy${gy > 0 ? ` (${digits(100 * gySigma / gy, 2)} %)` : ''}`);
  }
  if (voxel && weighted) parts.push(`weighted ${number(weighted.valueAt(point))} Gy (RBE)`);
  if (activity) parts.push(`activity ${number(activity.valueAt(point))} ${units.activity}`);
  if (density) parts.push(`density ${number(density.valueAt(point))} g/cm³`);
  if (ct) parts.push(`CT ${number(ct.valueAt(point))} HU`);
  const label = volumes.labels?.valueAt(point);
  const inside = view.organs.filter((organ) => (organ.mask ? organ.mask.valueAt(point) >= 0.5 : organ.label === label));
  if (inside.length) parts.push(inside.map((organ) => organ.dose.name).join(', '));
  return parts.join(' · ');
}

let isAsked = false;
function redraw() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    redrawNow();
  });
}

function redrawNow() {
  // Beside each other, a mm is as long in each.
  const planes = document.querySelector('.planes');
  const widths = PLANES.map(({ axes: [across] }) => view.box[1][across] - view.box[0][across]);
  const columns = widths.map((mm) => `minmax(0, ${mm}fr)`).join(' ');
  planes.style.gridTemplateColumns = planes.clientWidth > 700 ? columns : '';
  PLANES.forEach((plane) => {
    draw(view, plane);
    const slider = element(`${plane.name}-slice`);
    slider.value = view.at[plane.axes[2]];
    slider.setAttribute('aria-valuetext', `${view.at[plane.axes[2]].toFixed(1)} mm`);
  });
  const unit = units[element('map').value];
  bar(view, unit, getComputedStyle(document.body).color);
  const most = view.map.most().value;
  say(element('above'), `The highest is ${number(most)} ${unit}${most > view.top ? ', above this scale' : ''}. `
    + 'Colours go with the square root.', 'muted');
  say(element('readout'), words(view.at), 'readout');
}

function move(axis, mm) {
  view.at[axis] = Math.min(Math.max(mm, view.box[0][axis]), view.box[1][axis]);
  redraw();
}

function moveTo(point) {
  point.forEach((mm, axis) => move(axis, mm));
}

function showLevels() {
  element('levels').replaceChildren(...view.levels.map((level, n) => {
    const line = made('span', { class: 'swatch', 'aria-hidden': 'true' });
    line.style.background = ISODOSES[n % ISODOSES.length];
    return made('li', {}, line, `${number(level)} Gy`);
  }));
}

function setLevels(levels) {
  view.levels = levels.filter((gy) => gy > 0).slice(0, ISODOSES.length);
  showLevels();
}

function setWindow(low, high) {
  if (!(high > low)) return;
  view.window = [low, high];
  [element('low').value, element('high').value] = [digits(low), digits(high)];
}

function chooseMap() {
  const name = element('map').value;
  view.map = volumes[name];
  view.top = view.map.most().value || 1;
  element('top').value = digits(view.top, 6);
  element('unit').textContent = units[name];
}

// Steps of the keys: of a voxel of the dose along each axis of the patient.
function stepOf(axis) {
  const columns = [0, 1, 2].map((column) => Math.abs(volumes.dose.toPoint[axis][column]));
  return volumes.dose.spacing[columns.indexOf(Math.max(...columns))];
}

function listenTo(plane) {
  const canvas = element(plane.name);
  const slider = element(`${plane.name}-slice`);
  const [across, down, through] = plane.axes;
  [slider.min, slider.max] = [view.box[0][through], view.box[1][through]];
  slider.addEventListener('input', () => move(through, Number(slider.value)));
  let dragged = null;
  canvas.addEventListener('pointerdown', (event) => {
    if (event.shiftKey && view.window) {
      dragged = { x: event.clientX, y: event.clientY, window: view.window };
      canvas.setPointerCapture(event.pointerId);
    } else {
      dragged = null;
      moveTo(pointAt(view, plane, event));
    }
  });
  canvas.addEventListener('pointermove', (event) => {
    if (dragged && event.buttons) {
      const [low, high] = dragged.window;
      const width = (high - low) * Math.exp((event.clientX - dragged.x) / 200);
      const level = (low + high) / 2 + (high - low) * (event.clientY - dragged.y) / 200;
      setWindow(level - width / 2, level + width / 2);
      redraw();
    } else {
      say(element('cursor'), `Under the cursor: ${words(pointAt(view, plane, event))}`, 'readout muted');
    }
  });
  canvas.addEventListener('pointerleave', () => say(element('cursor'), '', 'readout muted'));
  canvas.addEventListener('wheel', (event) => {
    if (document.activeElement !== canvas) return;
    event.preventDefault();
    move(through, view.at[through] - Math.sign(event.deltaY) * stepOf(through));
  }, { passive: false });
  canvas.addEventListener('keydown', (event) => {
    const ways = {
      ArrowLeft: [across, -plane.signs[0]], ArrowRight: [across, plane.signs[0]], ArrowUp: [down, -plane.signs[1]],
      ArrowDown: [down, plane.signs[1]], PageUp: [through, 1], PageDown: [through, -1],
    };
    const way = ways[event.key];
    if (way) move(way[0], view.at[way[0]] + way[1] * stepOf(way[0]) * (event.shiftKey ? 10 : 1));
    else if (event.key === 'Home') moveTo(view.map.pointOf(view.map.most().voxel));
    else return;
    event.preventDefault();
  });
}

function listen() {
  PLANES.forEach(listenTo);
  const on = (id, kind, set) => element(id).addEventListener(kind, () => { set(element(id)); redraw(); });
  on('map', 'change', chooseMap);
  on('top', 'change', (input) => { if (Number(input.value) > 0) view.top = Number(input.value); });
  on('opacity', 'input', (input) => { view.opacity = Number(input.value); });
  on('isodoses', 'change', (input) => setLevels(input.value.split(/[\s;,]+/).filter(Boolean).map(Number)));
  on('outlines', 'change', (input) => { view.outlines = input.checked; });
  on('cross', 'change', (input) => { view.cross = input.checked; });
  on('smooth', 'change', (input) => { view.smooth = input.checked; });
  on('least', 'change', (input) => { view.leastBase = input.value === '' ? NaN : Number(input.value); });
  on('mask', 'change', (input) => { view.mostSigma = input.value === '' ? NaN : Number(input.value) / 100; });
  on('presets', 'change', (input) => { if (input.value) setWindow(...input.value.split(' ').map(Number)); });
  on('low', 'change', (input) => setWindow(Number(input.value), view.window[1]));
  on('high', 'change', (input) => setWindow(view.window[0], Number(input.value)));
  addEventListener('resize', redraw);
  addEventListener('beforeprint', redrawNow);
}

// What lies below the map, and its window.
function chooseBase(result) {
  const kind = ['ct', 'density'].find((name) => volumes[name]);
  element('base-controls').hidden = element('least-label').hidden = !kind;
  if (!kind) return;
  const { unit, name, sets } = WINDOWS[kind];
  view.base = volumes[kind];
  view.leastBase = (kind === 'ct' ? result.minimum_hu : result.minimum_density_g_cm3) ?? NaN;
  element('least').value = Number.isFinite(view.leastBase) ? view.leastBase : '';
  [element('base-name').textContent, element('least-unit').textContent] = [name, unit];
  const preset = ([text, low, high]) => made('option', { value: `${low} ${high}` }, text);
  element('presets').replaceChildren(...sets.map(preset));
  setWindow(...sets[0].slice(1));
}

function begin(result) {
  Object.assign(view, { dose: volumes.dose, sigma: volumes.sigma, labels: volumes.labels });
  units.activity = result.activity_unit;
  const maps = ['dose', 'sigma', 'weighted', 'activity'].filter((name) => volumes[name]);
  element('map').replaceChildren(...maps.map((value) => made('option', { value }, names[value])));
  element('mask-label').hidden = !volumes.sigma;
  chooseBase(result);
  chooseMap();
  const around = view.base ?? volumes.dose;
  view.box = around.box();
  view.spacing = Math.min(...around.spacing);
  view.at = volumes.dose.pointOf(volumes.dose.most().voxel);
  setLevels(FIRST.map((part) => Number((part * volumes.dose.most().value).toPrecision(2))));
  element('isodoses').value = view.levels.map(number).join(' ');
  element('viewer').hidden = false;
  listen();
  redrawNow();
}

async function load(result) {
  const maps = ['dose', 'sigma', 'weighted', 'activity', 'ct', 'density', 'labels'];
  const wanted = maps.filter((name) => result[name]).map((name) => [name, result[name]]);
  const all = [...wanted.map(([, described]) => described), ...result.organ_masks.map((organ) => organ.mask)];
  const size = all.reduce((sum, described) => sum + sizeOf(described), 0);
  if (size > MOST_BYTES) throw new Error(`the volumes take ${Math.round(size / 2 ** 20)} MiB, too many for a page`);
  let taken = 0;
  element('loading').hidden = false;
  const take = async (described) => {
    const bytes = await bytesOf(`/api/volumes/${described.volume}`, (count) => {
      taken += count;
      element('loaded').value = taken / size;
    });
    if (bytes.length !== sizeOf(described)) throw new Error('a volume has another size than its description says');
    return new Volume(described, bytes);
  };
  for (const [name, described] of wanted) volumes[name] = await take(described);
  view.organs = result.organs.map((dose, n) => ({
    dose, label: dose.label, histogram: result.histograms[n], colour: seriesColour(n), isShown: true, mask: null,
  }));
  for (const { label, mask } of result.organ_masks) {
    const organ = view.organs.find((one) => one.label === label);
    if (organ) organ.mask = await take(mask);
  }
  element('loading').hidden = true;
}

async function look() {
  const id = location.hash.slice(1) || 'folder';
  try {
    const { result, state, nuclide, error } = await ask(`/api/results/${encodeURIComponent(id)}`);
    element('back').hidden = id === 'folder';
    if (!result) {
      const why = error ? ` (${error.reason}: ${error.message})` : '';
      say(element('said'), `There is no result: the job is ${state}${why}.`);
      return;
    }
    const { method, device, version } = result.provenance;
    say(element('what'), `${nuclide}, ${method}, ${device.name}, version ${version}`, 'muted');
    await load(result);
    warnings(result.warnings);
    organTable(view.organs, (organ, isShown) => {
      organ.isShown = isShown;
      redraw();
    });
    histograms(view.organs);
    provenance(result);
    begin(result);
  } catch (error) {
    say(element('said'), error.status === 401 ? askWho(error, look) : error.message);
    element('loading').hidden = true;
  }
}

addEventListener('hashchange', () => location.reload());
look();
