// Tables and pictures of the page.

import { digits } from './compare.mjs';

// What two results differ by.
export function difference(found, expected) {
  return Float64Array.from(found, (value, at) => Math.abs(value - expected[at]));
}

// The plane with the highest value, from black over red and yellow to white.
export function picture(capture, values, caption) {
  const [nx, ny] = capture.header.grid.shape;
  let [highest, at] = [0, 0];
  values.forEach((value, index) => {
    if (value > highest) [highest, at] = [value, index];
  });
  const z = Math.floor(at / (nx * ny));
  const canvas = Object.assign(document.createElement('canvas'), { width: nx, height: ny });
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${capture.header.title}: ${caption}, plane ${z}`);
  const image = new ImageData(nx, ny);
  for (let y = 0; y < ny; y++) {
    for (let x = 0; x < nx; x++) {
      const part = highest > 0 ? Math.sqrt(values[(z * ny + y) * nx + x] / highest) : 0;
      const pixel = 4 * ((ny - 1 - y) * nx + x);
      image.data.set([1, 2, 3].map((channel) => 255 * Math.min(1, Math.max(0, 3 * part - channel + 1))), pixel);
      image.data[pixel + 3] = 255;
    }
  }
  canvas.getContext('2d').putImageData(image, 0, 0);
  const figure = document.createElement('figure');
  const text = document.createElement('figcaption');
  const { units_per_mev: units = 1 } = capture.steps('sums')[0] ?? {};
  text.textContent = `${caption}, plane ${z}; white is ${digits(highest / units)}${units === 1 ? '' : ' MeV'}`;
  figure.append(canvas, text);
  return figure;
}

// Fills the table of a section; without a head the first column names the rows.
export function table(id, head, rows) {
  const section = element(id);
  section.hidden = false;
  const cell = (kind, text, at) => {
    const made = document.createElement(kind);
    made.textContent = String(text);
    if (head && at > 0) made.className = 'number';
    return made;
  };
  const row = (kind, values) => {
    const made = document.createElement('tr');
    made.append(...values.map((value, at) => cell(at === 0 && kind === 'td' ? 'th' : kind, value, at)));
    return made;
  };
  const made = rows.map((values) => row('td', values));
  section.querySelector('table').replaceChildren(...(head ? [row('th', head)] : []), ...made);
}

export function element(id) {
  return document.getElementById(id);
}
