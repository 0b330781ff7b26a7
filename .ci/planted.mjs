// Two questions to captures, in Dawn under Node. Does a result depend on the order of workgroups and of lanes? It must
// have the same bits with both reversed. And would a wrong stage be noticed? Each fault that is planted here must be.
//
//     node planted.mjs MODULE CONVOLUTION LAYERS TWINS
//
// MODULE: index.js of the npm package `webgpu`; the others are captures of a convolution, of transport and of bodies.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readCapture } from '../clients/browser/capture.mjs';
import { compareResult } from '../clients/browser/compare.mjs';
import { Device } from '../clients/browser/device.mjs';
import { Replay } from '../clients/browser/replay.mjs';

const PLANTED = [
  {
    what: 'a barrier is missing in a transform along y',
    of: 'convolution',
    stage: 'forward_y',
    from: '    workgroupBarrier();\n    stage_1(',
    to: '    stage_1(',
  },
  {
    what: 'a barrier is missing between the parts of a transform along z',
    of: 'convolution',
    stage: 'multiply_z',
    from: '    workgroupBarrier();\n    stage_2(',
    to: '    stage_2(',
  },
  {
    what: 'an index is out of bounds',
    of: 'convolution',
    stage: 'inverse_x',
    from: 'result[first] = sum.x',
    to: 'result[first + 0x10000000u] = sum.x',
  },
  {
    what: 'a stage uses subgroups and does not ask for them',
    of: 'convolution',
    stage: 'inverse_x',
    from: 'return sum;',
    to: 'return Strip(subgroupAdd(sum.upper), sum.lower);',
    before: 'enable subgroups;\n',
  },
  {
    what: 'a twin is changed on the device: photons start askew',
    of: 'layers',
    stage: 'transport_emission',
    from: 'let cosine = 2.0 * next_uniform(stream) - 1.0;',
    to: 'let cosine = 1.9 * next_uniform(stream) - 0.9;',
  },
  {
    what: 'a twin is changed on the device: a part in ten thousand of each deposit is lost',
    of: 'layers',
    stage: 'transport_charged',
    from: 'let energy = units(energy_mev);',
    to: 'let energy = units(0.9999 * energy_mev);',
  },
  {
    what: 'a twin is changed on the device: an angle of Compton scattering is a thousandth off',
    of: 'twins',
    stage: 'twins',
    from: 'let forward =',
    to: 'let forward = 1.001 *',
  },
];

const [module, ...files] = process.argv.slice(2);
const { create, globals } = await import(pathToFileURL(resolve(module)).href);
Object.assign(globalThis, globals);
const gpu = create([]);
const device = await Device.open(gpu);
// Dawn ends with these: keep them from being collected.
globalThis.kept = [gpu, device];
console.log(`Dawn on ${device.name}`);
const [convolution, layers, twins] = files.map((file) => readFileSync(file));
const bytes = { convolution, layers, twins };

let missed = 0;
for (const of of Object.keys(bytes)) {
  const [plain, other] = [await outcome(of), await outcome(of, reversed)];
  const isSame = plain.digest === other.digest && !plain.faults.length;
  missed += !isSame;
  console.log(`${of}, workgroups and lanes in reversed order: ${isSame ? 'the same bits' : 'OTHER BITS'}`);
}
for (const { what, of, stage, from, to, before = '' } of PLANTED) {
  const plant = (found) => {
    if (found.name !== stage) return;
    if (!found.source.includes(from)) throw new Error(`nothing to plant in ${stage}`);
    found.source = before + found.source.replace(from, to);
  };
  const { faults } = await outcome(of, plant);
  missed += !faults.length;
  console.log(`${what}: ${faults.length ? `found, ${faults[0].split('\n')[0]}` : 'NOT FOUND'}`);
}
process.exit(missed ? 1 : 0);

// What comes of a capture after its stages were changed: a digest of the results, and what is wrong.
async function outcome(of, change = () => {}) {
  const capture = await readCapture(bytes[of]);
  capture.header.stages.forEach(change);
  const replay = new Replay(device, capture);
  const [hash, faults] = [createHash('sha256'), []];
  try {
    await replay.compile();
    await replay.run({
      onResult: async (step, found, accounts) => {
        hash.update(found);
        faults.push(...(await compareResult(capture, step, found, accounts)).faults);
      },
    });
  } catch (error) {
    faults.push(error.message);
  }
  replay.destroy();
  return { digest: hash.digest('hex'), faults };
}

// Numbers the workgroups and the lanes of a stage from the last to the first.
function reversed(stage) {
  if (stage.lanes === 1) return;
  const [head, from] = [stage.source.indexOf('\nfn main('), '@builtin'];
  const open = stage.source.indexOf('{\n', head);
  let params = stage.source.slice(head, open);
  const names = [...params.matchAll(/@builtin\((\w+)\) (\w+)/g)];
  const lets = [];
  for (const [, builtin, name] of names) {
    if (builtin === 'num_workgroups') continue;
    params = params.replace(`${from}(${builtin}) ${name}:`, `${from}(${builtin}) given_${name}:`);
    lets.push(
      {
        workgroup_id: `let ${name} = vec3(all_groups.xy - 1u - given_${name}.xy, 0u);`,
        local_invocation_index: `let ${name} = ${stage.lanes - 1}u - given_${name};`,
        global_invocation_id: `let ${name} = vec3(all_groups.x * ${stage.lanes}u - 1u - given_${name}.x, 0u, 0u);`,
      }[builtin],
    );
  }
  const counted = names.find(([, builtin]) => builtin === 'num_workgroups');
  if (counted) lets.unshift(`let all_groups = ${counted[2]};`);
  else params = params.replace('\nfn main(', '\nfn main(@builtin(num_workgroups) all_groups: vec3<u32>, ');
  stage.source = `${stage.source.slice(0, head)}${params}{\n${lets.join('\n')}\n${stage.source.slice(open + 2)}`;
}
