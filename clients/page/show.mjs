// Tables and words.

export const element = (id) => document.getElementById(id);

// An element with attributes and contents: text is always shown as text.
export function made(kind, attributes = {}, ...contents) {
  const node = document.createElement(kind);
  Object.entries(attributes).forEach(([name, value]) => {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  });
  node.append(...contents);
  return node;
}

// Sets a text, without touching what already says so: what has the focus keeps it.
export function say(node, text, kind = '') {
  if (node.textContent !== text) node.textContent = text;
  if (node.className !== kind) node.className = kind;
}

// Makes the rows of a table those of `items`. A row stays as long as its item does.
//   build – makes a row: its element, and what brings it up to date
export function keyedRows(body, items, keyOf, build) {
  const known = body.known ?? new Map();
  const rows = items.map((item) => {
    const row = known.get(keyOf(item)) ?? build(item);
    row.update(item);
    return [keyOf(item), row];
  });
  body.known = new Map(rows);
  known.forEach((row, key) => body.known.has(key) || row.element.remove());
  rows.forEach(([, { element: row }], at) => {
    if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
  });
}

// Rows of plain texts, the first of each its name.
export function plainRows(body, rows) {
  body.replaceChildren(...rows.map(([name, ...values]) => {
    const cells = values.map((value) => made('td', {}, String(value)));
    return made('tr', {}, made('th', { scope: 'row' }, String(name)), ...cells);
  }));
}

export const digits = (value, count = 4) => (value === 0 ? '0' : String(Number(value.toPrecision(count))));

export function moment(text) {
  return text ? new Date(text).toISOString().replace('T', ' ').replace(/\.\d+/, '') : '';
}

export function duration(seconds) {
  if (!(seconds >= 0)) return '';
  if (seconds < 90) return `${digits(seconds, seconds < 10 ? 2 : 3)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${digits(seconds / 3600, 3)} h` : `${digits(seconds / 86400, 3)} d`;
}

export function bytes(count) {
  const at = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), 4);
  return `${digits(count / 1024 ** at, 3)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][at]}`;
}
