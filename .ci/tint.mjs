// Compiles every stage with Tint, Chrome's compiler, and makes its pipeline in Dawn. Any message is a fault.
//
//     node tint.mjs MODULE FOLDER [PATTERN]
//
// MODULE: index.js of the npm package `webgpu`; FOLDER: what the example `shaders` wrote; PATTERN: names of the stages
// whose pipelines are made, for that takes a software driver long. All are read by the compiler.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [module, folder, pattern = '.'] = process.argv.slice(2);
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
const names = ['maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupSizeX', 'maxComputeWorkgroupStorageSize'];
const requiredLimits = Object.fromEntries(names.map((limit) => [limit, adapter.limits[limit]]));
const device = await adapter.requestDevice({ requiredLimits });
const mostLanes = device.limits.maxComputeInvocationsPerWorkgroup;
// Dawn ends with these: keep them from being collected.
globalThis.kept = [gpu, adapter, device];

let [faults, made, large] = [0, 0, 0];
const stages = Object.entries(JSON.parse(readFileSync(join(folder, 'stages.json'), 'utf8')));
for (const [stage, { constants, lanes }] of stages) {
  const start = performance.now();
  const said = [];
  device.pushErrorScope('validation');
  const shader = device.createShaderModule({ label: stage, code: readFileSync(join(folder, `${stage}.wgsl`), 'utf8') });
  for (const { type, lineNum, message } of (await shader.getCompilationInfo()).messages) {
    said.push(`${type}, line ${lineNum}: ${message}`);
  }
  const isMade = new RegExp(pattern).test(stage) && lanes <= mostLanes;
  large += lanes > mostLanes;
  made += isMade;
  const compute = { module: shader, entryPoint: 'main', constants };
  if (isMade) device.createComputePipeline({ label: stage, layout: 'auto', compute });
  const error = await device.popErrorScope();
  if (error) said.push(error.message);
  faults += said.length > 0;
  const seconds = ((performance.now() - start) / 1000).toFixed(2);
  if (said.length || isMade) console.log(`${stage}: ${said.length ? said.join('\n  ') : `${seconds} s`}`);
}
console.log(`${stages.length} stages read, ${made} made into pipelines, ${large} with more lanes than ${mostLanes}`);
console.log(faults ? `${faults} stages with messages` : 'no message');
process.exit(faults || made === 0 ? 1 : 0);
