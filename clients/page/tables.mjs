// What stands below the pictures: organs, histograms, provenance, warnings.

import { digits, element, made, plainRows } from './show.mjs';

const number = (value, count = 4) => (typeof value === 'number' ? digits(value, count) : '');

// Name, unit and value of each column.
const COLUMNS = [
  ['Volume', 'cm³', (organ) => number(organ.volume_cm3)],
  ['Mass', 'g', (organ) => number(organ.mass_g)],
  ['Mean', 'Gy', (organ) => number(organ.mean_by_mass_gy)],
  ['1σ of it', 'Gy', (organ) => number(organ.mean_by_mass_sigma_gy, 2)],
  ['D98', 'Gy', (organ) => number(organ.d98_gy)],
  ['D50', 'Gy', (organ) => number(organ.d50_gy)],
  ['D2', 'Gy', (organ) => number(organ.d2_gy)],
  ['Maximum', 'Gy', (organ) => number(organ.max_gy)],
  ['Ã', 'MBq·h', (organ) => number(organ.time_integrated_activity_mbq_h)],
  ['Per activity', 'Gy/GBq', (organ) => number(organ.mean_by_mass_gy_per_injected_gbq)],
];

function swatch(colour) {
  const box = made('span', { class: 'swatch', 'aria-hidden': 'true' });
  box.style.background = colour;
  return box;
}

// onShown – hears when an organ's outline is to be drawn or not
export function organTable(organs, onShown) {
  element('no-organs').hidden = organs.length > 0;
  if (!organs.length) return;
  const heads = COLUMNS.map(([name, unit]) => made('th', { scope: 'col', class: 'number' }, `${name} (${unit})`));
  document.querySelector('#organs thead').replaceChildren(
    made('tr', {}, made('th', { scope: 'col' }, 'Outline'), made('th', { scope: 'col' }, 'Organ'), ...heads));
  document.querySelector('#organs tbody').replaceChildren(...organs.map((organ) => {
    const box = made('input', { type: 'checkbox', checked: true, 'aria-label': `Outline of ${organ.dose.name}` });
    box.addEventListener('change', () => onShown(organ, box.checked));
    const cells = COLUMNS.map(([, , value]) => made('td', { class: 'number' }, value(organ.dose)));
    const name = made('th', { scope: 'row' }, swatch(organ.colour), organ.dose.name);
    return made('tr', {}, made('td', {}, box), name, ...cells);
  }));
}

const SVG = 'http://www.w3.org/2000/svg';

function drawn(kind, attributes, text) {
  const node = document.createElementNS(SVG, kind);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  if (text !== undefined) node.textContent = text;
  return node;
}

// Ticks at 1, 2 or 5 times a power of ten.
function ticks(most, count) {
  const power = 10 ** Math.floor(Math.log10(most / count));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((one) => one >= most / count);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, n) => n * step);
}

// Part of the volume [%] over the dose [Gy], a line an organ.
export function histograms(organs) {
  const lines = organs.filter((organ) => organ.histogram);
  element('no-dvh').hidden = lines.length > 0;
  if (!lines.length) return;
  const most = Math.max(...lines.map((organ) => organ.histogram.dose_gy.at(-1))) || 1;
  const [w, h, l, r, t, b] = [720, 320, 56, 12, 10, 42];
  const x = (gy) => l + (w - l - r) * gy / most;
  const y = (part) => h - b - (h - t - b) * part;
  const svg = drawn('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img', class: 'dvh' });
  svg.append(drawn('title', {}, 'Cumulative dose-volume histograms of the organs'));
  ticks(most, 6).forEach((gy) => {
    svg.append(drawn('line', { x1: x(gy), x2: x(gy), y1: t, y2: h - b, class: 'grid' }));
    svg.append(drawn('text', { x: x(gy), y: h - b + 16, 'text-anchor': 'middle' }, digits(gy)));
  });
  [0, 0.25, 0.5, 0.75, 1].forEach((part) => {
    svg.append(drawn('line', { x1: l, x2: w - r, y1: y(part), y2: y(part), class: 'grid' }));
    svg.append(drawn('text', { x: l - 6, y: y(part) + 4, 'text-anchor': 'end' }, 100 * part));
  });
  svg.append(drawn('text', { x: (l + w - r) / 2, y: h - 6, 'text-anchor': 'middle' }, 'Absorbed dose (Gy)'));
  svg.append(drawn('text', { transform: `translate(14 ${(t + h - b) / 2}) rotate(-90)`, 'text-anchor': 'middle' },
    'Volume (%)'));
  lines.forEach(({ histogram, colour }) => {
    const { dose_gy: doses, volume_fraction: parts } = histogram;
    const points = doses.map((gy, n) => `${x(gy).toFixed(1)},${y(parts[n]).toFixed(1)}`);
    svg.append(drawn('polyline', { points: points.join(' '), stroke: colour, class: 'line' }));
  });
  const names = lines.map((organ) => made('li', {}, swatch(organ.colour), organ.dose.name));
  element('dvh').replaceChildren(svg, made('ul', { class: 'legend' }, ...names));
}

// Names and values of all that JSON holds, those of lists by number.
function flat(value, name = '') {
  if (value === null || value === undefined) return [];
  if (typeof value !== 'object') return [[name, value]];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, name ? `${name}.${key}` : key));
}

export function provenance(result) {
  const rows = [...flat(result.provenance), ...flat(result.account, 'activity')];
  const isOfList = ([name]) => /\.\d+(\.|$)/.test(name);
  plainRows(document.querySelector('#provenance tbody'), rows.filter((row) => !isOfList(row)));
  const lists = rows.filter(isOfList);
  plainRows(document.querySelector('#lists tbody'), lists);
  document.querySelector('#lists-of').hidden = !lists.length;
}

export function warnings(list) {
  const items = list.map(({ reason, field, message }) => made('li', {}, made('code', {}, reason),
    ` ${[field, message].filter(Boolean).join(': ')}`));
  element('warnings').replaceChildren(...(items.length ? items : [made('li', {}, 'None.')]));
}
