// Gives a device what another one was given, by the same rules.

import { stopIf, unlessStopped } from './device.mjs';
import { AIM_SECONDS, Pace, between } from './pace.mjs';

// Dispatches of a submit of passes: each has parameters of its own.
const MOST_DISPATCHES = 64;
const MOST_CYCLES = 256;
// Bytes of the workgroups of a dispatch: three words.
const DISPATCH_BYTES = 12;
// Lanes of the smallest submit of transport: a few workgroups.
const LEAST_LANES = 128;
// Particles of a queue on hardware; software keeps the number of the capture.
const HARDWARE_CAPACITY = 1 << 19;

export class Replay {
  constructor(device, capture) {
    this.device = device;
    this.capture = capture;
    this.buffers = new Map();
    this.bindGroups = new Map();
    this.pipelines = [];
    // Of the workgroups of each pipeline that has run, by their cost.
    this.paces = new Map();
    // Of the lanes of all cycles of a submit while decays are emitted.
    this.emission = new Pace(LEAST_LANES);
    const { queue_bytes: queueBytes, words, params_words: params } = capture.steps('launch')[0] ?? { words: [] };
    const recorded = params ? words[params.capacity] : 0;
    const fitting = Math.floor(device.limits.maxStorageBufferBindingSize / (queueBytes || 1));
    this.capacity = device.isSoftware ? recorded : Math.max(recorded, Math.min(HARDWARE_CAPACITY, fitting));
  }

  // Compiles every pipeline; gives the stages with source and times [s]. `onStage(name, part)` gets the stage that is next,
  // and the part that is done.
  async compile(signal, onStage = () => {}) {
    const times = [];
    const { pipelines, stages } = this.capture.header;
    for (const [number, { stage, constants, bindings }] of pipelines.entries()) {
      stopIf(signal);
      const { name, source } = stages[stage];
      onStage(name, number / pipelines.length);
      const start = performance.now();
      this.pipelines.push(await unlessStopped(signal, this.device.pipeline(stages[stage], bindings, constants)));
      times.push({ stage: name, source, seconds: (performance.now() - start) / 1000 });
    }
    return times;
  }

  // Does all steps in order. `onResult(step, bytes, accounts)` gets what the device left where the capture has a
  // result; `onProgress` gets the part that is done.
  async run({ signal, onResult, onProgress = () => {} }) {
    const { steps } = this.capture.header;
    await this.touch();
    for (const [number, step] of steps.entries()) {
      stopIf(signal);
      await this.step(step, { signal, onResult, onProgress: (part) => onProgress((number + part) / steps.length) });
      onProgress((number + 1) / steps.length);
    }
  }

  async step(step, { signal, onResult = () => {}, onProgress = () => {} }) {
    const { device } = this;
    if (step.do === 'write') {
      await device.write(this.buffer(step.buffer), step.offset, this.capture.blob(step.blob));
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

  // The bodies of the transport, each for its cases, some workgroups at a time.
  async twins(step) {
    const { device, capture } = this;
    const { pipeline, buffers } = capture.header.bindings[step.bindings];
    device.gpu.queue.writeBuffer(this.buffer(step.params), 0, Uint32Array.from(step.words));
    const pace = this.pace(pipeline, 1);
    const lanes = capture.stage(step.bindings).lanes;
    const cases = step.cases * step.tests.length;
    for (let first = 0; first < step.groups;) {
      const groups = Math.min(Math.floor(pace.amount), step.groups - first);
      // The part of a buffer that holds these cases.
      const part = (number) => {
        const bytes = capture.header.buffers[number].bytes / cases;
        const [start, end] = [first * lanes, Math.min(cases, (first + groups) * lanes)];
        return { offset: start * bytes, size: (end - start) * bytes };
      };
      const given = capture.buffer(step.bindings, 'cases');
      const parts = new Map([given, step.outcomes].map((number) => [number, part(number)]));
      const group = this.bindGroup(pipeline, buffers, parts);
      const { own } = await device.submit('bodies of the transport', (compute) => {
        compute.setPipeline(this.pipelines[pipeline].pipeline);
        compute.setBindGroup(0, group, [0]);
        compute.dispatchWorkgroups(groups);
      }, groups === 1);
      pace.learn(groups, own);
      first += groups;
    }
  }

  // Passes in order, each in as many pieces as the time of a submit asks for. Gives their time [s].
  async passes(step, signal, onProgress = () => {}) {
    const stride = this.stride();
    const total = step.passes.reduce((sum, { groups, cost }) => sum + groups * cost, 0);
    let [number, first, done, seconds] = [0, 0, 0, 0];
    while (number < step.passes.length) {
      stopIf(signal);
      const words = new Uint32Array((MOST_DISPATCHES * stride) / 4);
      const pieces = [];
      // Costs by pipeline, and the parts of a submit that they are thought to fill.
      const costs = new Map();
      let parts = 0;
      while (number < step.passes.length && pieces.length < MOST_DISPATCHES) {
        const pass = step.passes[number];
        const { pipeline } = this.capture.header.bindings[pass.bindings];
        const pace = this.pace(pipeline, pass.cost);
        const fitting = Math.floor(((1 - parts) * pace.amount) / pass.cost);
        if (pieces.length && fitting < 1) break;
        const end = Math.min(pass.groups, first + Math.max(1, fitting));
        const at = (pieces.length * stride) / 4;
        words.set(pass.words, at);
        words[at + step.first_word] = first;
        words[at + step.end_word] = end;
        pieces.push({ pass, groups: end - first });
        const cost = (end - first) * pass.cost;
        costs.set(pipeline, (costs.get(pipeline) ?? 0) + cost);
        parts += cost / pace.amount;
        [number, first] = end === pass.groups ? [number + 1, 0] : [number, end];
      }
      this.device.gpu.queue.writeBuffer(this.buffer(step.params), 0, words, 0, (pieces.length * stride) / 4);
      const encode = (compute) => {
        for (const [at, { pass, groups }] of pieces.entries()) {
          this.bind(compute, pass.bindings, at * stride);
          compute.dispatchWorkgroups(...this.device.groups(groups));
        }
      };
      const isLeast = pieces.length === 1 && pieces[0].groups === 1;
      const elapsed = await this.device.submit('passes of a convolution', encode, isLeast);
      for (const [pipeline, cost] of costs) {
        const pace = this.paces.get(pipeline);
        // Of several, each lasted no longer than all of them; if that is too long, any of them may be why.
        pace.learn(elapsed.own > AIM_SECONDS ? parts * pace.amount : cost, elapsed.own);
      }
      done += [...costs.values()].reduce((sum, cost) => sum + cost, 0);
      seconds += elapsed.seconds;
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
    const start = performance.now();
    let counters = new Uint32Array(Object.keys(c).length);
    let [pace, cycles] = [this.emission, 1];
    for (;;) {
      stopIf(signal);
      const emitted = counters[c.first_item] + counters[c.emitting];
      const particles = waiting(counters, c);
      if (emitted >= words[p.n_items]) {
        if (particles === 0) return (performance.now() - start) / 1000;
        // Lanes without a particle may take less: what they teach is not kept.
        if (pace === this.emission) pace = this.emission.copy();
      }
      const most = Math.min(Math.floor(pace.amount), Math.max(LEAST_LANES, this.capacity / 4));
      const lanes = pace === this.emission ? most : between(2 * particles, LEAST_LANES, most);
      cycles = Math.floor(between(pace.amount / lanes, 1, Math.min(MOST_CYCLES, 2 * cycles)));
      words[p.max_lanes] = lanes;
      device.gpu.queue.writeBuffer(this.buffer(step.params), 0, words);
      const encode = (compute) => {
        for (let cycle = 0; cycle < cycles; cycle++) {
          // The first plans how many workgroups the others have.
          for (const [place, bindings] of step.cycle.entries()) {
            this.bind(compute, bindings, 0);
            if (place === 0) compute.dispatchWorkgroups(1);
            else compute.dispatchWorkgroupsIndirect(this.buffer(step.dispatches), (place - 1) * DISPATCH_BYTES);
          }
        }
      };
      const isLeast = cycles === 1 && lanes === LEAST_LANES;
      const { own } = await device.submit('cycles of transport', encode, isLeast);
      const before = counters;
      const bytes = await device.read(this.buffer(step.counters), 0, 4 * counters.length);
      counters = new Uint32Array(bytes.buffer);
      const isPlanned = counters[c.cycles] === (before[c.cycles] + cycles) >>> 0;
      if (!isPlanned || counters[c.workgroups] !== counters[c.given]) {
        throw new Error('the device did not do the cycles that it was given');
      }
      const emittedNow = counters[c.first_item] + counters[c.emitting];
      const isDone = emittedNow >= words[p.n_items] && waiting(counters, c) === 0;
      if (worked(counters, c) === worked(before, c) && !isDone) throw new Error('the queues of particles are full');
      pace.learn(cycles * lanes, own, pace !== this.emission || particles >= lanes / 4);
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

  // Has the device make every buffer: it writes zeros before the first use, which would be part of another submit.
  async touch() {
    for (const [number, { is_uniform: isUniform }] of this.capture.header.buffers.entries()) {
      if (!isUniform) await this.device.clear(this.buffer(number));
    }
  }

  // How much of a pipeline fits in a submit. `cost`: of one workgroup.
  pace(pipeline, cost) {
    if (!this.paces.has(pipeline)) this.paces.set(pipeline, new Pace(cost));
    return this.paces.get(pipeline);
  }

  buffer(number) {
    if (!this.buffers.has(number)) {
      const { bytes, is_uniform: isUniform, is_indirect: isIndirect } = this.capture.header.buffers[number];
      const isQueues = this.capture.steps('launch').some((step) => step.queues === number);
      const size = isQueues ? this.capacity * this.capture.steps('launch')[0].queue_bytes : bytes;
      const { device } = this;
      const uniform = () => device.uniform(Math.max(bytes, MOST_DISPATCHES * this.stride()));
      const other = () => (isIndirect ? device.indirect(size) : device.storage(size));
      this.buffers.set(number, isUniform ? uniform() : other());
    }
    return this.buffers.get(number);
  }

  // Bytes between the parameters of two dispatches of a submit.
  stride() {
    return Math.max(256, this.device.limits.minUniformBufferOffsetAlignment);
  }

  bind(compute, number, offset) {
    const { pipeline, buffers } = this.capture.header.bindings[number];
    if (!this.bindGroups.has(number)) this.bindGroups.set(number, this.bindGroup(pipeline, buffers));
    compute.setPipeline(this.pipelines[pipeline].pipeline);
    compute.setBindGroup(0, this.bindGroups.get(number), [offset]);
  }

  // Buffers by slot, bound to a pipeline: whole, or the `parts` of some by number.
  bindGroup(pipeline, buffers, parts = new Map()) {
    const slots = this.capture.header.pipelines[pipeline].bindings;
    const entries = slots.map(({ slot, bytes }) => ({
      binding: slot,
      resource: { buffer: this.buffer(buffers[slot]), size: bytes, ...parts.get(buffers[slot]) },
    }));
    return this.device.gpu.createBindGroup({ layout: this.pipelines[pipeline].layout, entries });
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
