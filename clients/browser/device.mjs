// A device of WebGPU: what it is, its buffers, and how long its work takes.

import { Pace, Submits, ownSeconds } from './pace.mjs';

// Bytes that are cleared, written or fetched at first, and at most.
const LEAST_MOVED = 1 << 20;
const MOST_MOVED = 16 << 20;

export class Device {
  constructor(adapter, device) {
    this.adapter = adapter;
    this.gpu = device;
    this.limits = device.limits;
    this.lost = null;
    this.failed = null;
    this.submits = new Submits();
    this.paces = new Map();
    this.stopwatch = device.features.has('timestamp-query') ? new Stopwatch(this) : null;
    device.lost.then(({ reason, message }) => {
      this.lost = message || reason;
    });
    // Memory that it does not have, or what it refuses: nothing that comes after is a result.
    device.addEventListener('uncapturederror', ({ error }) => {
      this.failed ??= error.message;
    });
    const { vendor, architecture, device: model, description } = adapter.info;
    this.name = [vendor, architecture, model, description].filter(Boolean).join(', ') || 'unnamed';
    const isNamedSo = /swiftshader|llvmpipe|lavapipe|warp|basic render/i.test(this.name);
    this.isSoftware = Boolean(adapter.info.isFallbackAdapter) || isNamedSo;
  }

  // Opens the best device, with the limits that its adapter has. Throws an Error that says what is missing.
  static async open(gpu) {
    if (!gpu && globalThis.isSecureContext === false) {
      throw new Error('a browser gives WebGPU to no page that came by plain http: open it from a file or by https');
    }
    if (!gpu) throw new Error('this browser has no WebGPU');
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) throw new Error('WebGPU finds no GPU that it may use');
    const requiredLimits = {};
    for (const name of ['maxStorageBufferBindingSize', 'maxBufferSize', 'maxComputeWorkgroupStorageSize']) {
      requiredLimits[name] = adapter.limits[name];
    }
    const requiredFeatures = ['timestamp-query'].filter((feature) => adapter.features.has(feature));
    return new Device(adapter, await adapter.requestDevice({ requiredLimits, requiredFeatures }));
  }

  // Throws if the device is gone, or has failed at something that was asked of it.
  check() {
    if (this.lost !== null) throw new Error(`the device was lost: ${this.lost}`);
    if (this.failed !== null) throw new Error(`the device failed: ${this.failed}`);
  }

  buffer(bytes, usage) {
    return this.gpu.createBuffer({ size: Math.ceil(Math.max(bytes, 4) / 4) * 4, usage });
  }

  storage(bytes) {
    return this.buffer(bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC);
  }

  // One that dispatches read their workgroups from.
  indirect(bytes) {
    return this.buffer(bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.INDIRECT | GPUBufferUsage.COPY_DST);
  }

  uniform(bytes) {
    return this.buffer(bytes, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  }

  // Compiles a stage. Throws an Error with what the compiler said.
  async pipeline({ name, source }, slots, constants) {
    this.gpu.pushErrorScope('validation');
    const module = this.gpu.createShaderModule({ label: name, code: source });
    const entries = slots.map(({ slot, kind, bytes }) => ({
      binding: slot,
      visibility: GPUShaderStage.COMPUTE,
      buffer:
        kind === 'uniform'
          ? { type: 'uniform', hasDynamicOffset: true, minBindingSize: bytes }
          : { type: kind === 'read' ? 'read-only-storage' : 'storage' },
    }));
    const layout = this.gpu.createBindGroupLayout({ label: name, entries });
    const compute = { module, entryPoint: 'main', constants };
    const pipelineLayout = this.gpu.createPipelineLayout({ bindGroupLayouts: [layout] });
    let pipeline = null;
    let failure = null;
    try {
      pipeline = await this.gpu.createComputePipelineAsync({ label: name, layout: pipelineLayout, compute });
    } catch (error) {
      failure = error;
    }
    const said = await this.gpu.popErrorScope();
    this.check();
    if (failure || said) {
      const { messages } = await module.getCompilationInfo();
      const lines = messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`);
      throw new Error(`the stage ${name} does not compile: ${[(said || failure).message, ...lines].join('; ')}`);
    }
    return { pipeline, layout };
  }

  // Does a compute pass, which `encode` fills and `what` names, and waits until it is done. Gives its time, and that by
  // which the next is sized [s]. `isLeast`: whether it could not have been smaller.
  submit(what, encode, isLeast = false) {
    const all = (encoder) => {
      const compute = encoder.beginComputePass(this.stopwatch?.descriptor());
      encode(compute);
      compute.end();
      this.stopwatch?.resolve(encoder);
    };
    return this.timed(what, all, isLeast, () => this.stopwatch?.elapsed());
  }

  // Does what `encode` encodes. `read` reads a buffer that it fills, and gives its time by the clock of the device.
  async timed(what, encode, isLeast, read = () => null) {
    this.check();
    const start = performance.now();
    const encoder = this.gpu.createCommandEncoder();
    encode(encoder);
    this.gpu.queue.submit([encoder.finish()]);
    let onDevice = null;
    try {
      [onDevice = null] = await Promise.all([read(), this.gpu.queue.onSubmittedWorkDone()]);
    } catch (error) {
      // The loss of a device is told a little later.
      await Promise.race([this.gpu.lost, new Promise((resume) => setTimeout(resume, 100))]);
      this.check();
      throw new Error(`a result cannot be read back: ${error.message}`);
    }
    this.check();
    const seconds = (performance.now() - start) / 1000;
    this.submits.add(what, seconds, onDevice, isLeast);
    return { seconds, own: ownSeconds(seconds, onDevice) };
  }

  // Bytes that are moved in the time of a submit.
  fitting(what) {
    return this.paces.get(what)?.amount ?? LEAST_MOVED;
  }

  // Moves bytes in pieces, whose size is measured: `encode(encoder, at, length)` moves one, `read(at, length)` has it.
  async inPieces(what, bytes, encode, read = () => null) {
    if (!this.paces.has(what)) this.paces.set(what, new Pace(LEAST_MOVED));
    const pace = this.paces.get(what);
    let at = 0;
    while (at < bytes) {
      const length = Math.min(4 * Math.floor(pace.amount / 4), MOST_MOVED, bytes - at);
      const [from, isLeast] = [at, length <= LEAST_MOVED];
      const move = (encoder) => encode(encoder, from, length);
      const { own } = await this.timed(what, move, isLeast, () => read(from, length));
      pace.learn(length, own);
      at += length;
    }
  }

  // Zeros in a buffer, or in its first bytes.
  clear(buffer, bytes = buffer.size) {
    return this.inPieces('zeros', bytes, (encoder, at, length) => encoder.clearBuffer(buffer, at, length));
  }

  // Bytes into a buffer. Few are written without waiting, before what is submitted next.
  async write(buffer, offset, bytes) {
    const write = (_, at, length) => this.gpu.queue.writeBuffer(buffer, offset + at, bytes, at, length);
    if (bytes.length <= LEAST_MOVED) write(null, 0, bytes.length);
    else await this.inPieces('writing', bytes.length, write);
  }

  // The bytes of a buffer from an offset on.
  async read(buffer, offset, bytes) {
    const found = new Uint8Array(bytes);
    const staging = this.buffer(Math.min(bytes, MOST_MOVED), GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    const copy = (encoder, at, length) => encoder.copyBufferToBuffer(buffer, offset + at, staging, 0, length);
    await this.inPieces('reading back', bytes, copy, async (at, length) => {
      await staging.mapAsync(GPUMapMode.READ, 0, length);
      found.set(new Uint8Array(staging.getMappedRange(0, length)), at);
      staging.unmap();
    });
    staging.destroy();
    return found;
  }

  // The two axes of a dispatch of so many workgroups.
  groups(count) {
    const x = Math.max(1, Math.min(count, this.limits.maxComputeWorkgroupsPerDimension));
    return [x, Math.ceil(count / x)];
  }
}

// The time that a submit takes on the device itself, from its timestamps.
class Stopwatch {
  constructor(device) {
    this.times = device.gpu.createQuerySet({ type: 'timestamp', count: 2 });
    this.resolved = device.buffer(16, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
    this.staging = device.buffer(16, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  }

  // What a pass that is timed begins with.
  descriptor() {
    return {
      timestampWrites: { querySet: this.times, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    };
  }

  resolve(encoder) {
    encoder.resolveQuerySet(this.times, 0, 2, this.resolved, 0);
    encoder.copyBufferToBuffer(this.resolved, 0, this.staging, 0, 16);
  }

  // The time of what was submitted last [s]; null where the device has none.
  async elapsed() {
    await this.staging.mapAsync(GPUMapMode.READ);
    const [start, end] = new BigUint64Array(this.staging.getMappedRange().slice(0));
    this.staging.unmap();
    // Not all drivers write both.
    return start > 0n && end >= start ? Number(end - start) / 1e9 : null;
  }
}

// What a promise gives, unless it is stopped before.
export function unlessStopped(signal, promise) {
  if (!signal) return promise;
  const stopped = new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      try {
        stopIf(signal);
      } catch (error) {
        reject(error);
      }
    });
  });
  return Promise.race([promise, stopped]);
}

// An Error with this name ends a run that was stopped.
export function stopIf(signal) {
  if (signal?.aborted) throw Object.assign(new Error('stopped'), { name: 'AbortError' });
}
