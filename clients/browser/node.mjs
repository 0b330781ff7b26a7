// Replays captures under Node with Dawn, the WebGPU of Chrome: `npm install webgpu` gives the module.
//
//     node clients/browser/node.mjs MODULE CAPTURE...
//
// MODULE: index.js of the npm package `webgpu`. Ends with 1 if a result is wrong, with 2 if a capture cannot be run.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readCapture } from './capture.mjs';
import { compareResult } from './compare.mjs';
import { Device } from './device.mjs';
import { Replay } from './replay.mjs';

const [module, ...files] = process.argv.slice(2);
if (files.length === 0) {
  console.error('usage: node clients/browser/node.mjs MODULE CAPTURE...');
  process.exit(2);
}
const { create, globals } = await import(pathToFileURL(resolve(module)).href);
Object.assign(globalThis, globals);
const gpu = create([]);
let code = 0;
try {
  const device = await Device.open(gpu);
  // Dawn ends with these: keep them from being collected.
  globalThis.kept = [gpu, device];
  console.log(`Dawn on ${device.name}`);
  for (const file of files) code = Math.max(code, await replayed(device, file));
} catch (error) {
  console.error(error.message);
  code = 2;
}
process.exit(code);

async function replayed(device, file) {
  const capture = await readCapture(readFileSync(file));
  const replay = new Replay(device, capture);
  console.log(`${file}: ${capture.header.title}, recorded on ${capture.header.device.name}`);
  const stages = await replay.compile();
  console.log(`  compiled: ${stages.map(({ stage, seconds }) => `${stage} ${seconds.toFixed(2)} s`).join(', ')}`);
  const start = performance.now();
  let wrong = 0;
  await replay.run({
    onResult: async (step, bytes, accounts) => {
      const { faults, said } = await compareResult(capture, step, bytes, accounts);
      console.log(`  ${faults.length ? 'WRONG' : 'right'}: ${said}`);
      faults.slice(0, 10).forEach((fault) => console.log(`    ${fault}`));
      wrong += faults.length > 0;
    },
  });
  console.log(`  ran in ${((performance.now() - start) / 1000).toFixed(2)} s`);
  replay.destroy();
  return wrong ? 1 : 0;
}
