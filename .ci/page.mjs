// Opens the page of `dosegrid bench --page` in headless Chromium on its software driver, at two widths, and looks at
// what it says. Then the same with a capture whose expected result was changed, which must be called wrong.
//
//     node page.mjs PLAYWRIGHT PAGE FOLDER
//
// PLAYWRIGHT: index.mjs of the npm package `playwright-core`; FOLDER gets the figures and pictures of the page.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const [module, page, folder] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(resolve(module)).href);
const flags = ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
const altered = join(folder, 'altered.html');
writeFileSync(altered, withAlteredResult(readFileSync(page, 'utf8')));

const faults = [];
for (const { file, width, verdict } of [
  { file: page, width: 1280, verdict: /^Right/ },
  { file: altered, width: 390, verdict: /^Wrong/ },
]) {
  const tab = await browser.newPage({ viewport: { width, height: 844 } });
  const asked = [];
  tab.on('request', (request) => asked.push(request.url()));
  tab.on('pageerror', (error) => faults.push(`${file}: ${error.message}`));
  await tab.goto(pathToFileURL(resolve(file)).href);
  await tab.click('#start');
  await tab.waitForFunction(() => !document.getElementById('start').disabled, null, { timeout: 1_200_000 });
  const said = (await tab.textContent('#verdict')) ?? '';
  console.log(`${file} at ${width}: ${said}`);
  if (!verdict.test(said)) faults.push(`${file}: it says "${said}"`);
  const sideways = await tab.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  if (sideways > 0) faults.push(`${file}: it is ${sideways} pixels too wide at ${width}`);
  const outside = asked.filter((url) => !/^(file|data|blob):/.test(url));
  if (outside.length) faults.push(`${file}: it asked for ${outside.join(', ')}`);
  await tab.screenshot({ path: join(folder, `page-${width}.png`), fullPage: true });
  writeFileSync(join(folder, `page-${width}.json`), await tab.inputValue('#json textarea'));
}
await browser.close();
faults.forEach((fault) => console.error(fault));
process.exit(faults.length ? 1 : 0);

// The page with the first expected value of its first capture changed.
function withAlteredResult(html) {
  return html.replace(/"base64":"([^"]+)"/, (_, base64) => {
    const bytes = gunzipSync(Buffer.from(base64, 'base64'));
    const length = Number(bytes.readBigUInt64LE(8));
    const header = JSON.parse(bytes.subarray(16, 16 + length).toString('utf8'));
    const values = header.steps.find((step) => step.do === 'values');
    const at = 16 + Math.ceil(length / 8) * 8 + header.blobs[values.blob].offset;
    bytes.writeFloatLE(bytes.readFloatLE(at) * 2 + 1, at);
    return `"base64":"${gzipSync(bytes).toString('base64')}"`;
  });
}
