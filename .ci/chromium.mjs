// Replays captures in headless Chromium on its software driver, as clients/browser/node.mjs does under Node.
//
//     node chromium.mjs MODULES CAPTURE...
//
// MODULES: node_modules with `playwright-core`. Ends with 1 if a result is wrong, with 2 if a capture cannot be run.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const SCRIPTS = ['capture', 'pace', 'device', 'compare', 'replay'];
const [modules, ...captures] = process.argv.slice(2);
const require = createRequire(pathToFileURL(resolve(modules, 'x.mjs')));
const { chromium } = require('playwright-core');
const flags = ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// The modules as one script: a page from a file may import no other file.
const script = SCRIPTS.map((name) => readFileSync(new URL(`../clients/browser/${name}.mjs`, import.meta.url), 'utf8'))
  .join('\n')
  .replace(/^import .*$/gm, '')
  .replace(/^export /gm, '');
const folder = mkdtempSync(join(tmpdir(), 'captures-'));
writeFileSync(join(folder, 'page.html'), `<input type="file"><script>${script}
async function replayed() {
  const device = await Device.open(navigator.gpu);
  const capture = await readCapture(new Uint8Array(await document.querySelector('input').files[0].arrayBuffer()));
  const replay = new Replay(device, capture);
  const lines = [capture.header.title + ', on ' + device.name];
  let start = performance.now();
  await replay.compile();
  lines.push('  compiled in ' + ((performance.now() - start) / 1000).toFixed(2) + ' s');
  let wrong = 0;
  start = performance.now();
  await replay.run({
    onResult: async (step, bytes, accounts) => {
      const { faults, said } = await compareResult(capture, step, bytes, accounts);
      lines.push((faults.length ? '  WRONG: ' : '  right: ') + said);
      faults.slice(0, 10).forEach((fault) => lines.push('    ' + fault));
      wrong += faults.length > 0;
    },
  });
  lines.push('  ran in ' + ((performance.now() - start) / 1000).toFixed(2) + ' s');
  return { lines, wrong };
}
</script>`);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
let code = 0;
try {
  for (const file of captures) {
    const tab = await browser.newPage();
    await tab.goto(pathToFileURL(join(folder, 'page.html')).href);
    await tab.setInputFiles('input', file);
    const { lines, wrong } = await tab.evaluate('replayed()');
    console.log(`${file}: ${lines.join('\n')}`);
    code = Math.max(code, wrong ? 1 : 0);
    await tab.close();
  }
} catch (error) {
  console.error(error.message);
  code = 2;
}
await browser.close();
rmSync(folder, { recursive: true });
process.exit(code);
