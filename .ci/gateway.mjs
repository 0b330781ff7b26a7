// The gateway's part of the status page in headless Chromium, at two sizes: the ledger by state and by text, what was
// put aside with its reason, release and retry by button and by keyboard. What the page shows is held against the
// ledger, as `dosegrid gateway list` gives it.
//
//     node gateway.mjs PLAYWRIGHT AXE DOSEGRID STUDY FOLDER
//
// PLAYWRIGHT: index.mjs of the npm package `playwright-core`; AXE: axe.js of `axe-core`; DOSEGRID: the program; STUDY:
// a folder of DICOM files. FOLDER gets pictures and the state of gateway and server.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { SIZES, freePort, launch, started } from './browser.mjs';

const [module, axe, program, study, folder] = process.argv.slice(2);
const TOKENS = { admin: 'a-token-for-this-trial', read: 'another-token-for-this-trial' };
const MINUTE = 60_000;
const { check, end, faults, looked, tab } = await launch(module, axe, folder);
const state = resolve(folder, 'gateway-state');
rmSync(state, { recursive: true, force: true });
['in', 'in/study', 'server'].forEach((name) => mkdirSync(join(state, name), { recursive: true }));

// An archive that refuses, then says that it has what it has not, until it is put right. What it has is found again.
let habit = 'refuses';
const kept = new Map();
const archive = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const uid = request.url.split('/').at(-1);
    if (request.method === 'GET') {
      if (!kept.has(uid)) return response.writeHead(404).end();
      const body = [Buffer.from('--b\r\nContent-Type: application/dicom\r\n\r\n'), kept.get(uid),
        Buffer.from('\r\n--b--\r\n')];
      response.writeHead(200, { 'content-type': 'multipart/related; type="application/dicom"; boundary=b' });
      return response.end(Buffer.concat(body));
    }
    const whole = Buffer.concat(parts);
    const file = whole.subarray(whole.indexOf('\r\n\r\n') + 4, whole.lastIndexOf('\r\n--'));
    const instance = items().flatMap((item) => item.objects).find(({ instance: one }) => file.includes(one)).instance;
    const item = { '00081155': { vr: 'UI', Value: [instance] } };
    if (habit === 'good') kept.set(instance, file);
    const answer = habit === 'refuses'
      ? { '00081198': { vr: 'SQ', Value: [{ ...item, '00081197': { vr: 'US', Value: [0x0110] } }] } }
      : { '00081199': { vr: 'SQ', Value: [item] } };
    response.writeHead(habit === 'refuses' ? 409 : 200, { 'content-type': 'application/dicom+json' });
    return response.end(JSON.stringify(answer));
  });
});
await new Promise((done) => { archive.listen(0, '127.0.0.1', done); });

const config = join(state, 'gateway.toml');
writeFileSync(config, `folder = 'ledger'
poll = '1s'
[[source]]
name = 'inbox'
kind = 'folder'
path = 'in'
quiet = '1s'
limit = '1s'
[[destination]]
name = 'archive'
kind = 'dicom-web'
url = 'http://127.0.0.1:${archive.address().port}'
attempts = 1
backoff = '1s'
[[rule]]
name = 'lu'
to = 'archive'
[rule.compute]
method = 'local'
`);
const items = () => JSON.parse(execFileSync(program, ['gateway', 'list', '--json', '--config', config]).toString());

// Waits for what holds of the ledger.
async function until(what, holds) {
  const from = Date.now();
  for (;;) {
    const found = items();
    if (holds(found)) return found;
    if (Date.now() - from > 5 * MINUTE) throw new Error(`${what}: ${JSON.stringify(found)}`);
    await new Promise((done) => { setTimeout(done, 200); });
  }
}

// The rows of the page: cells as text.
const rows = (page) => page.$$eval('#gateway tbody tr', (found) => found.map((row) => [...row.cells]
  .map((cell) => cell.textContent)));

// Compares what the page shows with the ledger.
async function compared(page, wanted, where) {
  const shown = await rows(page);
  check(shown.length === wanted.length, `${where}: ${shown.length} rows, the ledger has ${wanted.length}`);
  wanted.forEach((item) => {
    const row = shown.find(([id]) => id === item.id);
    check(row && row[1] === item.state && row[3] === (item.rule ?? '') && row[4] === item.reason,
      `${where}: ${item.id}: ${row}`);
  });
}

// Opens the page with a token.
async function read(size, origin, token) {
  const page = await tab(size, origin, / 40[01] /);
  await page.goto(origin);
  await page.waitForSelector('#identity:not([hidden])');
  await page.fill('#token', token);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#server:not([hidden])', { timeout: MINUTE });
  return page;
}

// Waits until the page shows an item in a state.
async function stateOf(page, id, wanted) {
  const isShown = ([item, name]) => [...document.querySelectorAll('#gateway tbody tr')]
    .some(({ cells }) => cells[0].textContent === item && cells[1].textContent === name);
  await page.waitForFunction(isShown, [id, wanted], { timeout: 2 * MINUTE });
}

cpSync(study, join(state, 'in/study'), { recursive: true });
const broken = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(64, 255)]);
writeFileSync(join(state, 'in/broken.dcm'), broken);
const digest = (token) => createHash('sha256').update(token).digest('hex');
writeFileSync(join(state, 'identities.toml'), Object.entries(TOKENS).map(([role, token]) => `[[identity]]
name = 'ann-${role}'
tenant = 'a'
roles = ['${role}']
token_sha256 = '${digest(token)}'
`).join(''));
const gateway = await started(program, ['gateway', '--config', config], /(the gateway runs)/);
const [port, pagePort] = [await freePort(), await freePort()];
const server = await started(program, ['serve', '--listen', `127.0.0.1:${port}`, '--device', 'cpu', '--store',
  join(state, 'server/store'), '--identities', join(state, 'identities.toml'), '--page-listen', `127.0.0.1:${pagePort}`,
  '--page-gateway', join(state, 'ledger')], /listening on (\S+)/);
const origin = `http://127.0.0.1:${pagePort}`;

try {
  const ledger = await until('a dose is held, a file aside', (found) => ['held', 'aside']
    .every((name) => found.some((item) => item.state === name)));
  const held = ledger.find((item) => item.state === 'held').id;
  const file = ledger.find((item) => item.state === 'aside').id;

  const reader = await read(SIZES[0], origin, TOKENS.read);
  check(await reader.isHidden('#gateway'), 'who may only read sees the gateway');
  await reader.close();

  for (const size of SIZES) {
    const isWide = size === SIZES[0];
    const page = await read(size, origin, TOKENS.admin);
    await page.waitForSelector('#gateway:not([hidden]) tbody tr', { timeout: MINUTE });
    const now = items();
    await compared(page, now, `all at ${size.width}`);
    const counts = await page.$$eval('#gateway-state option', (found) => found.map((one) => one.textContent));
    check(counts[0] === `all (${now.length})` && counts.some((one) => one.startsWith('aside (')), `states: ${counts}`);
    await looked(page, `gateway-${size.width}`);
    await page.selectOption('#gateway-state', 'aside');
    await compared(page, now.filter((item) => item.state === 'aside'), `aside at ${size.width}`);
    await page.selectOption('#gateway-state', '');
    await page.fill('#gateway-text', file.slice(0, 9));
    await compared(page, now.filter((item) => item.id === file), `text at ${size.width}`);
    await page.fill('#gateway-text', 'nothing has this');
    await compared(page, [], `no text at ${size.width}`);
    await page.fill('#gateway-text', '');
    if (isWide) {
      // Released, refused by the archive, and aside with the reason of the archive.
      await page.click(`button[aria-label="Release item ${held}"]`);
      await stateOf(page, held, 'aside');
      const [item] = items().filter(({ id }) => id === held);
      check(item.reason.includes('0110H failure in processing'), `why it is aside: ${item.reason}`);
      check(/ for ann-admin$/.test(item.released_by), `released by ${item.released_by}`);
      await looked(page, `gateway-aside-${size.width}`);
      // What it says to have, and has not, is aside too, and the page says why.
      habit = 'forgets';
      await page.click(`button[aria-label="Retry item ${held}"]`);
      const words = 'said to be stored, and not there when it was read back';
      const forgotten = await until('it is missed', (found) => found.some((one) => one.id === held
        && one.state === 'aside' && one.reason.includes(words)));
      await page.waitForFunction((text) => document.querySelector('#gateway tbody').textContent.includes(text), words,
        { timeout: MINUTE });
      await compared(page, forgotten, `forgotten at ${size.width}`);
    } else {
      // Put right, it is sent again: by keyboard.
      habit = 'good';
      await page.focus(`button[aria-label="Retry item ${held}"]`);
      await page.keyboard.press('Enter');
      await until('it is verified', (found) => found.some((item) => item.id === held && item.state === 'verified'));
      await stateOf(page, held, 'verified');
      check(kept.size === 1, `${kept.size} objects are in the archive`);
      check(await page.isHidden(`button[aria-label="Retry item ${held}"]`), 'what is verified can be retried');
      await page.click(`button[aria-label="Drop item ${file}"]`);
      await stateOf(page, file, 'skipped');
      await compared(page, items(), 'at the end');
      await looked(page, `gateway-done-${size.width}`);
    }
    await page.close();
  }
} catch (error) {
  faults.push(error.message);
}
gateway.child.kill();
server.child.kill();
archive.close();
process.exit(await end());
