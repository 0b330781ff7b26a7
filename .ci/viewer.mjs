// Opens the viewer of a folder of results and the status page of a server in headless Chromium, at two sizes. Figures
// under the cursor must be those of the files, no request may leave the host, axe-core may find nothing serious.
//
//     node viewer.mjs PLAYWRIGHT AXE DOSEGRID RESULTS FOLDER
//
// PLAYWRIGHT: index.mjs of the npm package `playwright-core`; AXE: axe.js of `axe-core`; DOSEGRID: the program; RESULTS:
// a folder that `dosegrid study` wrote. FOLDER gets pictures, a print and the state of the server.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { SIZES, freePort, launch, started } from './browser.mjs';

const [module, axe, program, results, folder] = process.argv.slice(2);
const TOKEN = 'a-token-for-this-trial';
const { check, end, faults, looked, tab } = await launch(module, axe, folder);

// A NIfTI file in single precision: shape, sform and values.
function nifti(path) {
  const bytes = gunzipSync(readFileSync(path));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = [42, 44, 46].map((at) => view.getInt16(at, true));
  const affine = [0, 1, 2].map((row) => [0, 1, 2, 3].map((n) => view.getFloat32(280 + 16 * row + 4 * n, true)));
  const from = view.getFloat32(108, true);
  const value = ([i, j, k]) => view.getFloat32(from + 4 * (i + shape[0] * (j + shape[1] * k)), true);
  return { shape, affine, value };
}

const digits = (value) => (value === 0 ? '0' : String(Number(value.toPrecision(4))));

// Compares what stands in a readout with the files.
function compared(said, files, where) {
  const [, voxel, gy] = said.match(/voxel ([\d, ]+): dose (\S+) Gy/) ?? [];
  if (!voxel) return 0;
  const at = voxel.split(', ').map(Number);
  const point = said.match(/x, y, z ([-\d.]+), ([-\d.]+), ([-\d.]+) mm/).slice(1).map(Number);
  files.dose.affine.forEach((row, axis) => {
    const centre = row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3];
    const half = Math.max(...[0, 1, 2].map((n) => Math.abs(row[n]))) / 2 + 0.06;
    check(Math.abs(centre - point[axis]) <= half, `${where}: ${said}: the voxel is elsewhere`);
  });
  check(gy === digits(files.dose.value(at)), `${where}: ${said}: the file has ${files.dose.value(at)}`);
  if (files.sigma) {
    const sigma = said.match(/σ (\S+) Gy/)?.[1];
    check(sigma === digits(files.sigma.value(at)), `${where}: ${said}: σ in the file is ${files.sigma.value(at)}`);
  }
  return 1;
}

async function viewer() {
  const { child, found: url } = await started(program, ['view', results], /(http:\S+)/);
  const file = (name) => (existsSync(join(results, name)) ? nifti(join(results, name)) : null);
  const files = { dose: file('dose.nii.gz'), sigma: file('sigma.nii.gz') };
  for (const size of SIZES) {
    const page = await tab(size, new URL(url).origin);
    await page.goto(url);
    await page.waitForSelector('#viewer:not([hidden])', { timeout: 120_000 });
    const readout = () => page.textContent('#readout');
    // It begins at the maximum of the file.
    let most = 0;
    for (let k = 0; k < files.dose.shape[2]; k++) {
      for (let j = 0; j < files.dose.shape[1]; j++) {
        for (let i = 0; i < files.dose.shape[0]; i++) most = Math.max(most, files.dose.value([i, j, k]));
      }
    }
    const first = await readout();
    check(first.includes(`dose ${digits(most)} Gy`), `it begins at ${first}, the maximum is ${most}`);
    check((await page.inputValue('#top')) === String(Number(most.toPrecision(6))), 'the scale ends below the maximum');
    let seen = 0;
    for (const plane of ['axial', 'coronal', 'sagittal']) {
      const canvas = page.locator(`#${plane}`);
      await canvas.scrollIntoViewIfNeeded();
      const box = await canvas.boundingBox();
      for (let n = 0; n < 40; n++) {
        const [u, v] = [0.07 + 0.86 * ((n * 0.6180339) % 1), 0.07 + 0.86 * ((n * 0.7548776) % 1)];
        await page.mouse.move(box.x + u * box.width, box.y + v * box.height);
        seen += compared(await page.textContent('#cursor'), files, `${plane} at ${size.width}`);
      }
      await canvas.focus();
      const before = await readout();
      await page.keyboard.press('ArrowRight');
      await page.waitForFunction((old) => document.getElementById('readout').textContent !== old, before);
      seen += compared(await readout(), files, `${plane} by keyboard`);
      await page.keyboard.press('PageUp');
      await page.keyboard.press('Home');
    }
    console.log(`${size.width}: ${seen} places compared`);
    check(seen > 60, `only ${seen} places lay in the dose`);
    await page.waitForFunction((old) => document.getElementById('readout').textContent === old, first);
    await looked(page, `viewer-${size.width}`);
    await page.selectOption('#map', { index: 1 }).catch(() => faults.push('there is no other map'));
    await page.check('#smooth');
    await page.emulateMedia({ media: 'print' });
    const cut = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(cut <= 0 || size.width < 700, `a print is ${cut} pixels too wide`);
    await page.emulateMedia({ media: 'screen' });
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(folder, `viewer-${size.width}-other.png`) });
    if (size.width > 1000) await page.pdf({ path: join(folder, 'viewer.pdf'), format: 'A4' });
    await page.close();
  }
  child.kill();
}

async function statusPage() {
  const state = join(folder, 'state');
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state);
  const digest = createHash('sha256').update(TOKEN).digest('hex');
  writeFileSync(join(state, 'identities.toml'),
    `[[identity]]\nname='ann'\ntenant='a'\nroles=['admin']\ntoken_sha256='${digest}'\n`);
  const [port, pagePort] = [await freePort(), await freePort()];
  const { child } = await started(program, ['serve', '--listen', `127.0.0.1:${port}`, '--device', 'cpu', '--store',
    join(state, 'store'), '--identities', join(state, 'identities.toml'), '--page-listen', `127.0.0.1:${pagePort}`],
  /listening on (\S+)/);
  const compute = (words) => execFileSync(program, ['compute', '--activity', join(results, 'activity.nii.gz'),
    '--activity-unit', 'bq-per-ml', '--effective-half-life', '50h', '--density',
    join(results, 'report_data/density.nii.gz'), '--dose-grid', 'activity', '--nuclide', 'Lu-177', '--output',
    join(state, 'dose.nii.gz'), '--server', `http://127.0.0.1:${port}`, '--detach', ...words],
  { env: { ...process.env, DOSEGRID_TOKEN: TOKEN } }).toString().trim().replace('jobs/', '');
  const done = compute(['--method', 'local']);
  const long = compute(['--histories', '100000000000', '--time-limit', '1h']);
  const origin = `http://127.0.0.1:${pagePort}`;
  for (const size of SIZES) {
    const page = await tab(size, origin);
    await page.goto(origin);
    await page.waitForSelector('#identity:not([hidden])');
    await page.fill('#token', 'another');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.getElementById('said').textContent.includes('nobody is known'));
    await page.fill('#token', TOKEN);
    await page.keyboard.press('Enter');
    await page.waitForSelector(`#jobs a[href="/view#${done}"]:not([hidden])`, { timeout: 60_000 });
    check((await page.textContent('#who')).includes('ann of a'), 'it does not say who reads');
    await looked(page, `status-${size.width}`);
    if (size.width < 1000) {
      await page.click(`button[aria-label="Cancel job ${long.slice(-12)}"]`);
      await page.waitForFunction(() => document.getElementById('queue-count').textContent === '0 running, 0 waiting');
    }
    await page.click(`#jobs a[href="/view#${done}"]`);
    await page.waitForSelector('#viewer:not([hidden])', { timeout: 60_000 });
    check((await page.textContent('#readout')).includes('dose'), 'the job has no picture');
    await page.screenshot({ path: join(folder, `job-${size.width}.png`) });
    await page.close();
  }
  child.kill();
}

await viewer();
await statusPage();
process.exit(await end());
