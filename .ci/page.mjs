// Opens the page of `dosegrid bench --page` in headless Chromium on its software driver and looks at what it says: that
// every result is right, in a wide and a narrow window; that a result is wrong where the capture was changed; that it
// was stopped; that the device was lost; that there is no WebGPU.
//
//     node page.mjs MODULES PAGE SCHEMA FOLDER
//
// MODULES: node_modules with `playwright-core` and `ajv`; SCHEMA: of the figures, as JSON schema; FOLDER gets the
// figures and pictures of the page.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const MOST_BYTES = 8e6;
const MINUTE = 60_000;
const [modules, page, schema, folder] = process.argv.slice(2);
const require = createRequire(pathToFileURL(resolve(modules, 'x.mjs')));
const { chromium } = require('playwright-core');
const flags = ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
const altered = join(folder, 'altered.html');
writeFileSync(altered, withAlteredResult(readFileSync(page, 'utf8')));

const faults = [];
const expect = (holds, fault) => {
  if (!holds) faults.push(fault);
};

expect(statSync(page).size < MOST_BYTES, `the page has ${statSync(page).size} bytes`);
await wide();
await narrow();
await stopped();
await lost();
await without();
await browser.close();
faults.forEach((fault) => console.error(`FAULT: ${fault}`));
process.exit(faults.length ? 1 : 0);

// All of it, in a wide window.
async function wide() {
  const tab = await open(page, 1280);
  const progress = await run(tab);
  expect(/^Right/.test(await said(tab)), `it says "${await said(tab)}"`);
  expect((await text(tab, '#doing')) === 'Done.', `it ends with "${await text(tab, '#doing')}"`);
  expect(progress.every((part, at) => part >= 0 && part <= 1 && (!at || part >= progress[at - 1])),
    `the progress goes back: ${progress}`);
  expect(new Set(progress).size > 10, `the progress is told ${new Set(progress).size} times`);
  const stages = await tab.$$eval('#compile td', (cells) => cells.map((cell) => Number(cell.textContent)));
  expect(stages.length === 10 && stages.every((seconds) => seconds > 0), `times to compile: ${stages}`);
  const speed = await tab.$$eval('#speed tr', (rows) => rows.map((row) => row.textContent));
  expect(speed.length > 8, `figures: ${speed}`);
  console.log(speed.filter((row) => row.startsWith('longest')).join());
  const report = JSON.parse(await figures(tab));
  checkFigures(report, 6, true);
  const { twins, transport, adapter, submits } = report.devices[0];
  expect(submits.count > 100 && submits.too_slow.length === 0, JSON.stringify(submits));
  expect(twins.length > 15 && twins.every(({ agrees, cases }) => agrees && cases > 1000), JSON.stringify(twins));
  const isTimed = adapter.features_used.includes('timestamp-query');
  const shares = transport.map((row) => row.device_share);
  console.log(isTimed ? `shares of the device: ${shares}` : 'NOT CHECKED: timestamps, which there are none of');
  expect(shares.length === 2 && shares.every((share) => share > 0 === isTimed), `shares of the device: ${shares}`);
  await close(tab, 'wide');
}

// A capture whose expected result was changed, in a narrow window.
async function narrow() {
  const tab = await open(altered, 390);
  await tab.click('#start');
  await tab.waitForSelector('#verdict:not([hidden])', { timeout: 20 * MINUTE });
  await tab.click('#stop');
  await idle(tab);
  expect(/^Wrong: .* voxel 0,0,0 is off/.test(await said(tab)), `it says "${await said(tab)}" of a changed result`);
  checkFigures(JSON.parse(await figures(tab)), 6, false);
  await close(tab, 'narrow');
}

async function stopped() {
  const tab = await open(page, 1280);
  await tab.click('#start');
  await doing(tab, 'Compiling');
  await tab.click('#stop');
  await idle(tab);
  expect((await text(tab, '#doing')) === 'Stopped.', `it says "${await text(tab, '#doing')}" when it is stopped`);
  await close(tab);
}

async function lost() {
  const tab = await open(page, 390);
  await tab.evaluate(() => {
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function keep(...given) {
      return (globalThis.opened = await requestDevice.apply(this, given));
    };
  });
  await tab.click('#start');
  await doing(tab, 'Running');
  await tab.evaluate(() => globalThis.opened.destroy());
  await idle(tab);
  expect(/^Failed: the device was lost/.test(await said(tab)), `it says "${await said(tab)}" of a lost device`);
  await tab.screenshot({ path: join(folder, 'page-lost.png') });
  await tab.click('#start');
  await doing(tab, 'Running');
  await tab.click('#stop');
  await idle(tab);
  await close(tab);
}

async function without() {
  const tab = await open(page, 390, () => Object.defineProperty(navigator, 'gpu', { value: undefined }));
  await tab.click('#start');
  await idle(tab);
  const found = await said(tab);
  expect(/^Not supported: this browser has no WebGPU\. Use /.test(found), `it says "${found}" without WebGPU`);
  await close(tab, 'without');
}

// A tab with the page. What it asks of others, and its errors, are faults.
async function open(file, width, before = null) {
  const tab = await browser.newPage({ viewport: { width, height: 844 } });
  tab.setDefaultTimeout(5 * MINUTE);
  tab.on('request', (request) => expect(/^(file|data|blob):/.test(request.url()), `it asks for ${request.url()}`));
  tab.on('pageerror', (error) => faults.push(error.message));
  tab.on('console', (line) => line.type() === 'error' && faults.push(line.text()));
  if (before) await tab.addInitScript(before);
  await tab.goto(pathToFileURL(resolve(file)).href);
  return tab;
}

async function close(tab, name) {
  console.log(`${name ?? ''} ${(await said(tab)) || (await text(tab, '#doing'))}`);
  const sideways = await tab.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  expect(sideways <= 0, `it is ${sideways} pixels too wide`);
  if (name) await tab.screenshot({ path: join(folder, `page-${name}.png`), fullPage: true });
  await tab.close();
}

// Starts, and waits until it ends; gives the progress on the way.
async function run(tab) {
  const progress = [];
  await tab.click('#start');
  while (await tab.isDisabled('#start')) {
    progress.push(await tab.$eval('#progress', ({ value }) => value));
    await tab.waitForTimeout(250);
  }
  return progress;
}

function idle(tab) {
  return tab.waitForFunction(() => !document.getElementById('start').disabled, null, { timeout: 5 * MINUTE });
}

function doing(tab, start) {
  const begins = (word) => document.getElementById('doing').textContent.startsWith(word);
  return tab.waitForFunction(begins, start, { timeout: 5 * MINUTE });
}

async function text(tab, selector) {
  return (await tab.textContent(selector)) ?? '';
}

function said(tab) {
  return text(tab, '#verdict');
}

function figures(tab) {
  return tab.inputValue('#json textarea');
}

// The figures follow the schema, and say of so many captures what they should.
function checkFigures(report, captures, isRight) {
  writeFileSync(join(folder, isRight ? 'page.json' : 'page-altered.json'), `${JSON.stringify(report, null, 2)}\n`);
  const { checks } = report.devices[0];
  expect(checks.length === captures && checks.every((check) => check.is_right) === isRight, JSON.stringify(checks));
  if (!existsSync(schema)) {
    console.log(`NOT CHECKED: the schema of the figures, for there is no ${schema}`);
    return;
  }
  const ajv = new (require('ajv/dist/2020').default)({ strict: false, validateFormats: false });
  const holds = ajv.compile(JSON.parse(readFileSync(schema, 'utf8')));
  expect(holds(report), `the figures are not of the schema: ${ajv.errorsText(holds.errors)}`);
}

// The page with the first expected value of its first capture changed.
function withAlteredResult(html) {
  return html.replace(/"base64":"([^"]+)"/, (_, base64) => {
    const bytes = gunzipSync(Buffer.from(base64, 'base64'));
    const length = Number(bytes.readBigUInt64LE(8));
    const header = JSON.parse(bytes.subarray(16, 16 + length).toString('utf8'));
    const values = header.steps.find((step) => step.do === 'values');
    const at = 16 + Math.ceil(length / 8) * 8 + header.blobs[values.blob].offset;
    bytes.writeFloatLE(bytes.readFloatLE(at) * 2 + 1, at);
    const expected = bytes.subarray(at, at + header.blobs[values.blob].bytes);
    bytes.write(createHash('sha256').update(expected).digest('hex'), bytes.indexOf(values.sha256));
    return `"base64":"${gzipSync(bytes).toString('base64')}"`;
  });
}
