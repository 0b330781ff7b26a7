// Compiles every stage with Tint, Chrome's compiler, and makes its pipeline in Dawn. Any message is a fault.
//
//     node tint.mjs MODULE FOLDER
//
// MODULE: index.js of the npm package `webgpu`; FOLDER: what the example `shaders` wrote.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [module, folder] = process.argv.slice(2);
const { create, globals } = await import(pathToFileURL(resolve(module)).href);
Object.assign(globalThis, globals);
const gpu = create([]);
const adapter = await gpu.requestAdapter();
if (!adapter) {
  console.error('Dawn finds no adapter');
  process.exit(1);
}
const { vendor, architecture, device: name, description } = adapter.info;
console.log('Dawn on', [vendor, architecture, name, description].filter(Boolean).join(', '));
const device = await adapter.requestDevice();
// Dawn ends with these: keep them from being collected.
globalThis.kept = [gpu, adapter, device];

let faults = 0;
for (const [stage, constants] of Object.entries(JSON.parse(readFileSync(join(folder, 'stages.json'), 'utf8')))) {
  const start = performance.now();
  const said = [];
  device.pushErrorScope('validation');
  const shader = device.createShaderModule({ label: stage, code: readFileSync(join(folder, `${stage}.wgsl`), 'utf8') });
  for (const { type, lineNum, message } of (await shader.getCompilationInfo()).messages) {
    said.push(`${type}, line ${lineNum}: ${message}`);
  }
  device.createComputePipeline({ label: stage, layout: 'auto', compute: { module: shader, entryPoint: 'main', constants } });
  const error = await device.popErrorScope();
  if (error) said.push(error.message);
  faults += said.length > 0;
  console.log(`${stage}: ${said.length ? said.join('\n  ') : `${((performance.now() - start) / 1000).toFixed(2)} s`}`);
}
console.log(faults ? `${faults} stages with messages` : 'no message');
process.exit(faults ? 1 : 0);
