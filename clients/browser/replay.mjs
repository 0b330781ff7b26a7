// Gives a device what another one was given, by the same rules.

import { SUBMIT_SECONDS, stopIf, unlessStopped } from './device.mjs';

// Dispatches of a submit of passes: each has parameters of its own.
const MOST_DISPATCHES = 64;
const MOST_CYCLES = 256;
const LEAST_LANES = 128;
// The work of an emission, in steps of a charged particle.
const EMISSION_WORK = 4;
// Particles of a queue on hardware; software keeps the number of the capture.
const HARDWARE_CAPACITY = 1 << 19;
// Cost and steps per second before the first submit: rather too low than too high.
const FIRST_RATE = 2e7;
const FIRST_STEPS_PER_S = 1e6;

export class Replay {
  constructor(device, capture) {
    this.device = device;
    this.capture = capture;
    this.buffers = new Map();
    this.bindGroups = new Map();
    this.pipelines = [];
    // Cost per second of each pipeline that has run: their groups differ.
    this.rates = new Map();
    this.stepsPerSecond = FIRST_STEPS_PER_S;
    const { queue_bytes: queueBytes, words, params_words: params } = capture.steps('launch')[0] ?? { words: [] };
    const recorded = params ? words[params.capacity] : 0;
    const fitting = Math.floor(device.limits.maxStorageBufferBindingSize / (queueBytes || 1));
    this.capacity = device.isSoftware ? recorded : Math.max(recorded, Math.min(HARDWARE_CAPACITY, fitting));
  }

  // Compiles every pipeline; gives the stages with their times [s]. `onStage(name, part)` gets the stage that is next,
  // and the part that is done.
  async compile(signal, onStage = () => {}) {
    const times = [];
    const { pipelines, stages } = this.capture.header;
    for (const [number, { stage, constants, bindings }] of pipelines.entries()) {
      stopIf(signal);
      const { name } = stages[stage];
      onStage(name, number / pipelines.length);
      const start = performance.now();
      this.pipelines.push(await unlessStopped(signal, this.device.pipeline(stages[stage], bindings, constants)));
      times.push({ stage: name, seconds: (performance.now() - start) / 1000 });
    }
    return times;
  }

  // Does all steps in order. `onResult(step, bytes, accounts)` gets what the device left where the capture has a
  // result; `onProgress` gets the part that is done.
  async run({ signal, onResult, onProgress = () => {} }) {
    const { steps } = this.capture.header;
    for (const [number, step] of steps.entries()) {
      stopIf(signal);
      await this.step(step, { signal, onResult, onProgress: (part) => onProgress((number + part) / steps.length) });
      onProgress((number + 1) / steps.length);
    }
  }

  async step(step, { signal, onResult = () => {}, onProgress = () => {} }) {
    const { device } = this;
    if (step.do === 'write') {
      device.gpu.queue.writeBuffer(this.buffer(step.buffer), step.offset, this.capture.blob(step.blob));
    } else if (step.do === 'clear') {
      await device.clear(this.buffer(step.buffer), step.bytes ?? undefined);
    } else if (step.do === 'passes') {
      await this.passes(step, signal, onProgress);
    } else if (step.do === 'launch') {
      await this.launch(step, step.words, signal, onProgress);
    } else if (step.do === 'values') {
      const bytes = this.capture.header.blobs[step.blob].bytes;
      await onResult(step, await device.read(this.buffer(step.buffer), step.offset, bytes));
    } else if (step.do === 'sums') {
      const voxels = this.capture.header.blobs[step.medium].bytes / 4;
      const bytes = await device.read(this.buffer(step.tally), 0, 8 * voxels * step.groups);
      await onResult(step, bytes, await this.accounts(step));
    } else if (step.do === 'twins') {
      await this.twins(step);
      const bytes = this.capture.header.blobs[step.expected].bytes;
      await onResult(step, await device.read(this.buffer(step.outcomes), 0, bytes));
    } else {
      throw new Error(`the capture has a step that this program does not know: ${step.do}`);
    }
  }

  // The bodies of the transport, each for its cases.
  async twins(step) {
    this.device.gpu.queue.writeBuffer(this.buffer(step.params), 0, Uint32Array.from(step.words));
    await this.device.submit('bodies of the transport', (encoder) => {
      const compute = encoder.beginComputePass();
      this.bind(compute, step.bindings, 0);
      compute.dispatchWorkgroups(step.groups);
      compute.end();
    });
  }

  // Passes in order, each in as many pieces as the time of a submit asks for. Gives their time [s].
  async passes(step, signal, onProgress = () => {}) {
    const stride = Math.max(256, this.device.limits.minUniformBufferOffsetAlignment);
    const total = step.passes.reduce((sum, { groups, cost }) => sum + groups * cost, 0);
    let [number, first, done, seconds] = [0, 0, 0, 0];
    while (number < step.passes.length) {
      stopIf(signal);
      const words = new Uint32Array((MOST_DISPATCHES * stride) / 4);
      const pieces = [];
      let [cost, predicted] = [0, 0];
      const stages = new Set();
      const hasRoom = () => pieces.length < MOST_DISPATCHES && (predicted < SUBMIT_SECONDS || !pieces.length);
      while (number < step.passes.length && hasRoom()) {
        const pass = step.passes[number];
        const { pipeline } = this.capture.header.bindings[pass.bindings];
        // One that has not run yet has a submit of its own.
        const isKnown = [...stages, pipeline].every((stage) => this.rates.has(stage));
        if (pieces.length && !isKnown && !stages.has(pipeline)) break;
        stages.add(pipeline);
        const rate = this.rates.get(pipeline) ?? FIRST_RATE;
        const fitting = Math.max(1, Math.floor(((SUBMIT_SECONDS - predicted) * rate) / pass.cost));
        const end = Math.min(pass.groups, first + fitting);
        const at = (pieces.length * stride) / 4;
        words.set(pass.words, at);
        words[at + step.first_word] = first;
        words[at + step.end_word] = end;
        pieces.push({ pass, groups: end - first });
        cost += (end - first) * pass.cost;
        predicted += ((end - first) * pass.cost) / rate;
        [number, first] = end === pass.groups ? [number + 1, 0] : [number, end];
      }
      this.device.gpu.queue.writeBuffer(this.buffer(step.params), 0, words, 0, (pieces.length * stride) / 4);
      const elapsed = await this.device.submit('passes of a convolution', (encoder) => {
        for (const [at, { pass, groups }] of pieces.entries()) {
          const compute = encoder.beginComputePass();
          this.bind(compute, pass.bindings, at * stride);
          compute.dispatchWorkgroups(...this.device.groups(groups));
          compute.end();
        }
      });
      const factor = between(predicted / Math.max(elapsed, 1e-6), 0.25, 4);
      for (const stage of stages) this.rates.set(stage, factor * (this.rates.get(stage) ?? FIRST_RATE));
      done += cost;
      seconds += elapsed;
      onProgress(done / total);
    }
    return seconds;
  }

  // Cycles until every decay is emitted and no particle is on its way. Gives their time [s].
  async launch(step, recorded, signal, onProgress = () => {}) {
    const { device } = this;
    const [p, c] = [step.params_words, step.counters_words];
    const words = Uint32Array.from(recorded);
    words[p.capacity] = this.capacity;
    const perLane = EMISSION_WORK + words[p.charged_steps] + words[p.photon_steps];
    const start = performance.now();
    let counters = new Uint32Array(Object.keys(c).length);
    let [cycles, particles] = [1, 0];
    // Lanes of all cycles of a submit, by the time that those of the last one took however few of them moved.
    let most = Infinity;
    for (;;) {
      stopIf(signal);
      const emitted = counters[c.first_item] + counters[c.emitting];
      const isEmitting = emitted < words[p.n_items];
      particles = waiting(counters, c);
      if (particles === 0 && !isEmitting) return (performance.now() - start) / 1000;
      const work = this.stepsPerSecond * SUBMIT_SECONDS;
      const lanes = between(Math.floor(work / perLane), LEAST_LANES, Math.max(LEAST_LANES, this.capacity / 4));
      const moving = isEmitting ? lanes : between(2 * particles, 1, lanes);
      const given = Math.max(LEAST_LANES, moving);
      cycles = Math.floor(between(work / (moving * perLane), 1, Math.min(MOST_CYCLES, 2 * cycles, most / given)));
      words[p.max_lanes] = given;
      device.gpu.queue.writeBuffer(this.buffer(step.params), 0, words);
      const elapsed = await device.submit('cycles of transport', (encoder) => {
        const compute = encoder.beginComputePass(device.stopwatch?.descriptor());
        for (let cycle = 0; cycle < cycles; cycle++) {
          for (const bindings of step.cycle) {
            this.bind(compute, bindings, 0);
            const width = this.capture.stage(bindings).lanes;
            compute.dispatchWorkgroups(width === 1 ? 1 : Math.ceil(given / width));
          }
        }
        compute.end();
      });
      const before = counters;
      const bytes = await device.read(this.buffer(step.counters), 0, 4 * counters.length);
      counters = new Uint32Array(bytes.buffer);
      if (counters[c.cycles] !== (before[c.cycles] + cycles) >>> 0) {
        throw new Error('the device did not do the cycles that it was given');
      }
      const done = worked(counters, c) - worked(before, c);
      const emittedNow = counters[c.first_item] + counters[c.emitting];
      if (done === 0 && (waiting(counters, c) > 0 || emittedNow < words[p.n_items])) {
        throw new Error('the queues of particles are full');
      }
      most = cycles * given * (SUBMIT_SECONDS / Math.max(elapsed, 1e-6));
      const measured = done / Math.max(elapsed, 1e-6);
      if (elapsed > 0.2 * SUBMIT_SECONDS || measured > this.stepsPerSecond) {
        this.stepsPerSecond = between(measured, this.stepsPerSecond / 4, this.stepsPerSecond * 4);
      }
      onProgress(emittedNow / words[p.n_items]);
    }
  }

  // The accounts of each group: emitted, deposited, escaped and scored energy [units].
  async accounts(step) {
    const bytes = await this.device.read(
      this.buffer(step.counters),
      4 * step.accounts_word,
      4 * step.account_words * step.groups,
    );
    const words = new Uint32Array(bytes.buffer);
    return Array.from({ length: step.groups }, (_, group) => {
      const at = group * step.account_words;
      const energy = (number) => words[at + 2 * number + 1] * 2 ** 32 + words[at + 2 * number];
      return { emitted: energy(0), deposited: energy(1), escaped: energy(2), scored: energy(3) };
    });
  }

  buffer(number) {
    if (!this.buffers.has(number)) {
      const { bytes, is_uniform: isUniform } = this.capture.header.buffers[number];
      const stride = Math.max(256, this.device.limits.minUniformBufferOffsetAlignment);
      const isQueues = this.capture.steps('launch').some((step) => step.queues === number);
      const size = isQueues ? this.capacity * this.capture.steps('launch')[0].queue_bytes : bytes;
      this.buffers.set(
        number,
        isUniform ? this.device.uniform(Math.max(bytes, MOST_DISPATCHES * stride)) : this.device.storage(size),
      );
    }
    return this.buffers.get(number);
  }

  bind(compute, number, offset) {
    const { pipeline, buffers } = this.capture.header.bindings[number];
    if (!this.bindGroups.has(number)) {
      const slots = this.capture.header.pipelines[pipeline].bindings;
      const entries = slots.map(({ slot, bytes }) => ({
        binding: slot,
        resource: { buffer: this.buffer(buffers[slot]), size: bytes },
      }));
      const { layout } = this.pipelines[pipeline];
      this.bindGroups.set(number, this.device.gpu.createBindGroup({ layout, entries }));
    }
    compute.setPipeline(this.pipelines[pipeline].pipeline);
    compute.setBindGroup(0, this.bindGroups.get(number), [offset]);
  }

  destroy() {
    for (const buffer of this.buffers.values()) buffer.destroy();
    this.buffers.clear();
    this.bindGroups.clear();
  }
}

// Particles on their way after the last cycle.
function waiting(counters, c) {
  const charged = (counters[c.charged] - counters[c.charged_running] + counters[c.charged_appended]) >>> 0;
  const photons = (counters[c.photons] - counters[c.photons_running] + counters[c.photons_appended]) >>> 0;
  return Math.min(charged + photons, 2 ** 32 - 1);
}

// Steps and emissions planned so far.
function worked(counters, c) {
  return counters[c.work_high] * 2 ** 32 + counters[c.work_low];
}

function between(value, least, most) {
  return Math.max(least, Math.min(value, most));
}
