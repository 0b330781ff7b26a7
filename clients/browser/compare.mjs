// Holds results against those of the capture. The rules are stated in docs/capture.md.

// Largest difference of a convolution, relative to its highest value.
export const VALUES_TOLERANCE = 1e-5;
// Difference of the energy of a region in standard deviations of the run. The same histories are run on both devices:
// those that do not part give the same energy.
export const REGION_SIGMAS = 0.3;
// Root mean square of the differences of voxels over that of their standard deviations.
export const VOXEL_SIGMAS = 0.5;
// Share of the emitted energy that rounding may lose.
export const ROUNDING = 1e-5;

// Largest relative difference of two values of a body of the transport, and of two cosines or their squares.
const TWIN_TOLERANCE = 1e-5;
const COSINE_TOLERANCE = 3e-5;
// Part of the cases of a body that may draw another number of random words.
const STRAYING = 1 / 500;
// Nothing smaller is divided by, when differences of bodies are stated.
const LEAST = 1e-3;
// Words of an outcome: four whole numbers, of which the last is how many random words were drawn, then values.
const OUTCOME_WORDS = 12;
const WHOLE_WORDS = 4;

// Holds what a device left against the capture, whatever it is.
export function compareResult(capture, step, bytes, accounts) {
  if (step.do === 'values') return compareValues(capture, step, bytes);
  if (step.do === 'twins') return compareTwins(capture, step, bytes);
  return compareSums(capture, step, bytes, accounts);
}

// Holds each body of the transport against what the CPU makes of the same cases.
export function compareTwins(capture, step, bytes) {
  const expected = capture.numbers(step.expected, Uint32Array);
  const found = new Uint32Array(bytes.buffer);
  const values = (words, at) => new Float32Array(words.buffer, words.byteOffset + 4 * (at + WHOLE_WORDS), 8);
  const rows = step.tests.map((test, number) => {
    const row = { test, cases: step.cases, straying: 0, worst: 0, differing: 0, agrees: false };
    for (let one = 0; one < step.cases; one++) {
      const at = (number * step.cases + one) * OUTCOME_WORDS;
      const drawn = at + WHOLE_WORDS - 1;
      if (found[drawn] !== expected[drawn]) {
        row.straying += 1;
        continue;
      }
      const [a, b] = [values(found, at), values(expected, at)];
      let isSame = found.subarray(at, drawn).every((word, i) => word === expected[at + i]);
      for (let i = 0; i < a.length; i++) {
        const difference = Math.abs(a[i] - b[i]);
        const isClose = difference <= TWIN_TOLERANCE * Math.max(Math.abs(a[i]), Math.abs(b[i]));
        const asCosine = Math.min(difference, Math.abs(a[i] ** 2 - b[i] ** 2)) <= COSINE_TOLERANCE;
        isSame &&= isClose || asCosine;
        row.worst = Math.max(row.worst, difference / Math.max(Math.abs(b[i]), LEAST) || 0);
      }
      if (!isSame) row.differing += 1;
    }
    row.agrees = row.differing === 0 && row.straying <= STRAYING * row.cases;
    return row;
  });
  const wrong = rows.filter(({ agrees }) => !agrees);
  const faults = wrong.map(({ test, straying, differing, cases }) =>
    `${test}: ${differing} of ${cases} differ, ${straying} stray`);
  const worst = Math.max(...rows.map((row) => row.worst));
  const straying = rows.reduce((sum, row) => sum + row.straying, 0);
  const said = `${rows.length} bodies within ${digits(worst)}, ${straying} of ${rows.length * step.cases} cases stray`;
  return { kind: 'twins', faults, said, twins: rows, isSame: false };
}

// Holds values of a convolution against the capture's.
export async function compareValues(capture, step, bytes) {
  const [found, expected] = [new Float32Array(bytes.buffer), capture.numbers(step.blob, Float32Array)];
  let [worst, highest, at, bad] = [0, 0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    highest = Math.max(highest, Math.abs(expected[i]));
    const difference = Math.abs(found[i] - expected[i]);
    if (!Number.isFinite(found[i])) bad += 1;
    else if (difference > worst) [worst, at] = [difference, i];
  }
  const relative = worst / highest;
  const faults = [];
  if (bad) faults.push(`${bad} values are not numbers`);
  if (!(relative <= VALUES_TOLERANCE)) {
    faults.push(`voxel ${place(capture, step.first_voxel + at)} is off by ${digits(relative)} of the highest value`);
  }
  const isSame = (await sha256(bytes)) === step.sha256;
  const said = isSame ? 'the same bits' : `at most ${digits(relative)} of the highest value apart`;
  return { kind: 'values', faults, said, isSame, relative, found, expected, first: step.first_voxel };
}

// Holds sums of transport against the capture's.
export async function compareSums(capture, step, bytes, accounts) {
  const words = new Uint32Array(bytes.buffer);
  const [expected, sigma] = [capture.numbers(step.energy, Float64Array), capture.numbers(step.sigma, Float32Array)];
  const medium = capture.numbers(step.medium, Uint32Array);
  const [voxels, groups] = [medium.length, step.groups];
  const units = (group, voxel) => {
    const at = group * voxels + voxel;
    return words[voxels * groups + at] * 2 ** 32 + words[at];
  };
  const faults = [];
  const found = new Float64Array(voxels);
  const { regions, numbers } = regionsOf(medium, step.material_mask, groups);
  const densities = new Float32Array(medium.map((word) => word & ~step.material_mask).buffer);
  const [square, variance, same] = [{ sum: 0 }, { sum: 0 }, { voxels: 0, active: 0 }];
  for (let group = 0; group < groups; group++) {
    let sum = 0;
    for (let voxel = 0; voxel < voxels; voxel++) {
      const energy = units(group, voxel);
      found[voxel] += energy;
      sum += energy;
      regions[numbers[voxel]].groups[group] += energy;
    }
    const { emitted, deposited, escaped, scored } = accounts[group];
    if (sum !== scored) faults.push(`group ${group}: the voxels do not hold what was scored`);
    if (!(Math.abs(emitted - deposited - escaped) <= ROUNDING * emitted)) {
      faults.push(`group ${group}: what was emitted is neither deposited nor escaped`);
    }
    if (!(emitted > 0)) faults.push(`group ${group}: nothing was emitted`);
  }
  for (let voxel = 0; voxel < voxels; voxel++) {
    const region = regions[numbers[voxel]];
    region.voxels += 1;
    region.expected += expected[voxel];
    region.density += densities[voxel];
    square.sum += (found[voxel] - expected[voxel]) ** 2;
    variance.sum += sigma[voxel] ** 2;
    if (found[voxel] > 0 || expected[voxel] > 0) same.active += 1;
    if (expected[voxel] > 0 && found[voxel] === expected[voxel]) same.voxels += 1;
  }
  const rows = regions.filter((region) => region.expected > 0).map(regionRow);
  for (const { name, sigmas } of rows) {
    if (!(sigmas <= REGION_SIGMAS)) faults.push(`${name} is off by ${digits(sigmas)} standard deviations`);
  }
  const rms = Math.sqrt(square.sum / variance.sum);
  if (!(rms <= VOXEL_SIGMAS)) faults.push(`voxels are off by ${digits(rms)} of their standard deviations`);
  const isSame = (await sha256(bytes)) === step.sha256;
  const share = same.active ? same.voxels / same.active : 0;
  const worst = Math.max(0, ...rows.map(({ relative }) => relative));
  const said = isSame
    ? 'the same bits'
    : `${(100 * share).toFixed(1)} % of voxels the same bits, regions within ${digits(worst)}, voxels within ` +
      `${digits(rms)} of their standard deviations`;
  return { kind: 'sums', faults, said, isSame, share, rms, rows, found, expected, first: 0 };
}

// The materials that occur, and the number of that of each voxel.
function regionsOf(medium, mask, groups) {
  const [regions, known] = [[], new Map()];
  const numberOf = (word) => {
    const material = word & mask;
    if (!known.has(material)) {
      known.set(material, regions.length);
      regions.push({ material, voxels: 0, density: 0, expected: 0, groups: new Float64Array(groups) });
    }
    return known.get(material);
  };
  return { numbers: medium.map(numberOf), regions };
}

function regionRow({ material, voxels, density, expected, groups }) {
  const total = groups.reduce((sum, energy) => sum + energy, 0);
  const mean = total / groups.length;
  const squares = groups.reduce((sum, energy) => sum + (energy - mean) ** 2, 0);
  const sigma = Math.sqrt((squares * groups.length) / Math.max(1, groups.length - 1));
  const difference = Math.abs(total - expected);
  const name = `material ${material} (${voxels} voxels, ${(density / voxels).toFixed(2)} g/cm³)`;
  const withoutSpread = difference > 0 ? Infinity : 0;
  return { name, relative: difference / expected, sigmas: sigma > 0 ? difference / sigma : withoutSpread };
}

// The index of a voxel along x, y and z.
function place(capture, voxel) {
  const [nx, ny] = capture.header.grid.shape;
  return `${voxel % nx},${Math.floor(voxel / nx) % ny},${Math.floor(voxel / nx / ny)}`;
}

// A few significant digits.
export function digits(value) {
  if (value === 0) return '0';
  const isPlain = Math.abs(value) >= 0.01 && Math.abs(value) < 1e4;
  return isPlain ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
