// Measures a device as `dosegrid bench` does, in the terms of its JSON (docs/gpu.md). Whatever compiles or
// is run for the first time is not counted.

import { stopIf } from './device.mjs';
import { AIM_SECONDS } from './pace.mjs';

// The same as in src/engine/gpu/measure/ceilings.rs and src/bench, so that figures can be compared.
const REPEATS = 5;
const BATCH_SECONDS = 0.5;
const MOST_PROBES = 4096;
const ROUNDS = 64;
const MOST_ROUNDS = 512;
const MOST_EMPTY = 100;
const FLOP_PER_ROUND = 64;
const INTEGER_PER_ROUND = 80;
const ELEMENT_BYTES = 16;
const LEAST_PROBED = 16 << 20;
const ADDRESSES = [1, 32, 1024, 8388608];
const MOST_ITEMS = 2 ** 31;

// What the device can do at most. `probes`: small stages by name, with their lanes and bindings.
export async function ceilings(device, probes, signal) {
  const wanted = device.isSoftware ? 64 << 20 : 256 << 20;
  // A device fills a new buffer with zeros at once, and new memory takes longer than that which was used before.
  const fitting = Math.max(LEAST_PROBED, device.fitting('zeros') / 4);
  const bytes = 2 ** Math.floor(Math.log2(Math.min(wanted, fitting, device.limits.maxStorageBufferBindingSize)));
  const lanes = device.isSoftware ? 1 << 14 : 1 << 20;
  const [source, target, result] = [device.storage(bytes), device.storage(bytes), device.storage(4 * lanes)];
  const buffers = { source, target_values: target, result, words: target };
  const elements = bytes / ELEMENT_BYTES;
  // As many rounds as make a dispatch last, from one on, since the device may be slow.
  const rate = async (name, n, mostRounds, perRound) => {
    const { run, set } = await probe(device, probes[name], buffers, n, lanes);
    let rounds = 1;
    await run(1);
    while (rounds < mostRounds && (await run(1)) < AIM_SECONDS / 3) {
      stopIf(signal);
      rounds = Math.min(mostRounds, 2 * rounds);
      set(rounds);
    }
    return (rounds * perRound * lanes) / (await secondsOfDispatch(run, signal));
  };
  const passes = Math.max(1, Math.floor(elements / lanes));
  // The device makes the buffers now, and not as a part of what is measured.
  for (const buffer of [source, target, result]) await device.clear(buffer);
  const { run: empty, set: setEmpty } = await probe(device, probes.probe_atomics, buffers, 1, 1);
  setEmpty(0);
  const submit = await medianOf(() => empty(1), signal);
  let dispatches = 10;
  while (2 * dispatches <= MOST_EMPTY && (await empty(dispatches)) < AIM_SECONDS / 3) dispatches *= 2;
  const many = await medianOf(() => empty(dispatches), signal);
  const atomics = [];
  for (const addresses of ADDRESSES.filter((count) => 4 * count <= bytes)) {
    atomics.push({ addresses, adds_per_s: await rate('probe_atomics', addresses, ROUNDS, 1) });
  }
  const data = new Uint8Array(Math.min(bytes, 16 << 20)).fill(1);
  const upload = await medianOf(async () => {
    const start = performance.now();
    await device.write(source, 0, data);
    return (performance.now() - start) / 1000;
  }, signal);
  const readback = await medianOf(async () => {
    const start = performance.now();
    await device.read(source, 0, data.length);
    return (performance.now() - start) / 1000;
  }, signal);
  const found = {
    read_bytes_per_s: await rate('probe_read', elements, passes, ELEMENT_BYTES),
    write_bytes_per_s: await rate('probe_write', elements, passes, ELEMENT_BYTES),
    copy_bytes_per_s: await rate('probe_copy', elements, passes, 2 * ELEMENT_BYTES),
    flop_per_s: await rate('probe_fma', lanes, MOST_ROUNDS, FLOP_PER_ROUND),
    integer_per_s: await rate('probe_integer', lanes, MOST_ROUNDS, INTEGER_PER_ROUND),
    upload_bytes_per_s: data.length / upload,
    readback_bytes_per_s: data.length / readback,
    empty_submit_s: submit,
    empty_dispatch_s: Math.max(0, many - submit) / (dispatches - 1),
    atomics,
  };
  [source, target, result].forEach((buffer) => buffer.destroy());
  return found;
}

// A probe of one round: `run` runs it some times in one submit and gives the time [s], `set` sets its rounds.
async function probe(device, stage, buffers, n, lanes) {
  const { pipeline, layout } = await device.pipeline(stage, stage.bindings, {});
  const uniform = device.uniform(256);
  const set = (rounds) => device.gpu.queue.writeBuffer(uniform, 0, Uint32Array.of(n, rounds));
  set(1);
  const entries = stage.bindings.map(({ slot, name, kind, bytes }) => ({
    binding: slot,
    resource: { buffer: kind === 'uniform' ? uniform : buffers[name], size: bytes },
  }));
  const group = device.gpu.createBindGroup({ layout, entries });
  const groups = device.groups(Math.ceil(lanes / stage.lanes));
  const run = async (dispatches) => {
    const encode = (compute) => {
      compute.setPipeline(pipeline);
      compute.setBindGroup(0, group, [0]);
      for (let number = 0; number < dispatches; number++) compute.dispatchWorkgroups(...groups);
    };
    return (await device.submit(stage.name, encode)).seconds;
  };
  return { run, set };
}

async function secondsOfDispatch(run, signal) {
  let dispatches = 1;
  for (;;) {
    stopIf(signal);
    const seconds = await run(dispatches);
    if (seconds >= AIM_SECONDS / 2 || dispatches >= MOST_PROBES) break;
    const factor = Math.min(4, AIM_SECONDS / Math.max(seconds, 1e-6));
    dispatches = Math.min(MOST_PROBES, Math.floor(dispatches * factor));
  }
  return (await medianOf(() => run(dispatches), signal)) / dispatches;
}

// The middle of some times, after one that is thrown away.
async function medianOf(run, signal) {
  await run();
  const times = [];
  for (let number = 0; number < REPEATS; number++) {
    stopIf(signal);
    times.push(await run());
  }
  return spread(times).median_s;
}

function spread(times) {
  const sorted = [...times].sort((a, b) => a - b);
  return { median_s: sorted[Math.floor(sorted.length / 2)], least_s: sorted[0], most_s: sorted[sorted.length - 1] };
}

// Time of the convolution of a capture that has been run: its source is sent, its result fetched, the kernel is there.
export async function convolution(replay, description, copyRate, signal) {
  const { capture } = replay;
  const [passes] = capture.steps('passes');
  const sources = new Set(passes.passes.map(({ bindings }) => capture.buffer(bindings, 'source')));
  const sends = capture.steps('write').filter(({ buffer }) => sources.has(buffer));
  const values = capture.steps('values');
  const run = async () => {
    const start = performance.now();
    for (const step of sends) await replay.step(step, {});
    await replay.passes(passes, signal);
    for (const step of values) await replay.step(step, {});
    return (performance.now() - start) / 1000;
  };
  await run();
  const times = [];
  const start = performance.now();
  while (times.length < 3 || (performance.now() - start < 1000 * BATCH_SECONDS && times.length < 100)) {
    stopIf(signal);
    times.push(await run());
  }
  const wall = spread(times);
  const [nx, ny, nz] = capture.header.grid.shape;
  return {
    edge: nx,
    kernel_edge: description.kernel_edge,
    core_edge: description.core_edge,
    wall,
    voxels_per_s: (nx * ny * nz) / wall.median_s,
    bytes: description.bytes,
    share_of_copy: copyRate ? description.bytes / wall.median_s / copyRate : null,
    stages: [],
    stage_shares: [],
  };
}

// Speed of the transport of a capture: as many decays as last half a second, three times.
export async function transport(replay, description, signal) {
  const { capture, device } = replay;
  const [launch] = capture.steps('launch');
  const [sums] = capture.steps('sums');
  const p = launch.params_words;
  const groups = 2 ** launch.words[p.group_bits];
  const inLaunch = 2 ** launch.words[p.launch_bits];
  const emissionLanes = capture.stage(launch.cycle[1]).lanes;
  const clear = async () => {
    for (const number of [launch.counters, sums.tally]) await device.clear(replay.buffer(number));
  };
  const run = async (ranks) => {
    const words = [...launch.words];
    const padded = Math.ceil(ranks / emissionLanes) * emissionLanes;
    const end = ranks * groups;
    Object.assign(words, {
      [p.first_rank]: 0,
      [p.n_ranks]: ranks,
      [p.first_history_low]: 0,
      [p.first_history_high]: 0,
      [p.end_history_low]: end >>> 0,
      [p.end_history_high]: Math.floor(end / 2 ** 32),
      [p.n_items]: padded * inLaunch * launch.words[p.n_slots],
    });
    await clear();
    const start = performance.now();
    await replay.launch(launch, words, signal);
    return (performance.now() - start) / 1000;
  };
  const most = Math.floor(MOST_ITEMS / (inLaunch * launch.words[p.n_slots]) / emissionLanes) * emissionLanes;
  let ranks = emissionLanes;
  await run(ranks);
  for (;;) {
    stopIf(signal);
    const seconds = await run(ranks);
    if (seconds >= BATCH_SECONDS || ranks >= most) break;
    const factor = Math.min(16, Math.max(2, (1.2 * BATCH_SECONDS) / seconds));
    ranks = Math.min(most, Math.ceil((ranks * factor) / emissionLanes) * emissionLanes);
  }
  const times = [];
  const before = device.submits.onDevice;
  for (let number = 0; number < 3; number++) times.push(await run(ranks));
  const wall = spread(times);
  const histories = ranks * inLaunch;
  // By the device's own clock, if it has one.
  const onDevice = device.submits.onDevice - before || null;
  const total = times.reduce((sum, seconds) => sum + seconds, 0);
  const sigma = await relativeSigma(replay, launch, sums);
  return {
    nuclide: description.nuclide,
    source: description.source,
    spacing_mm: description.spacing_mm,
    batch: histories,
    wall,
    speed: {
      histories,
      seconds: wall.median_s,
      histories_per_s: histories / wall.median_s,
      relative_sigma: sigma,
      efficiency_per_s: 1 / (sigma ** 2 * wall.median_s),
    },
    device_share: onDevice && onDevice / total,
    histories_per_device_s: onDevice && (times.length * histories) / onDevice,
    stages: [],
    planned_steps_per_history: null,
    lanes_moving: null,
  };
}

// Root mean square of σ over the dose in the voxels that emit, each as active as the others in these captures.
async function relativeSigma(replay, launch, sums) {
  const { capture } = replay;
  const source = capture.buffer(launch.cycle[1], 'source_voxels');
  const write = capture.steps('write').find(({ buffer }) => buffer === source);
  const active = capture.numbers(write.blob, Uint32Array);
  const voxels = capture.header.blobs[sums.medium].bytes / 4;
  const bytes = await replay.device.read(replay.buffer(sums.tally), 0, 8 * voxels * sums.groups);
  const words = new Uint32Array(bytes.buffer);
  let squares = 0;
  for (const voxel of active) {
    const energies = Array.from({ length: sums.groups }, (_, group) => {
      const at = group * voxels + voxel;
      return words[voxels * sums.groups + at] * 2 ** 32 + words[at];
    });
    const total = energies.reduce((sum, energy) => sum + energy, 0);
    const mean = total / sums.groups;
    const spreadOfGroups = energies.reduce((sum, energy) => sum + (energy - mean) ** 2, 0);
    const variance = (spreadOfGroups * sums.groups) / (sums.groups - 1);
    squares += total > 0 ? variance / total ** 2 : 1;
  }
  return Math.sqrt(squares / active.length);
}
