// A device of WebGPU: what it is, its buffers, and how long its work takes.

// Intended time of a submit [s]: short against a browser's patience, long against what a submit costs.
export const SUBMIT_SECONDS = 0.04;
// Bytes that are cleared in a submit.
const CLEAR_BYTES = 32 << 20;
// Bytes that are fetched at a time.
const FETCH_BYTES = 16 << 20;

export class Device {
  constructor(adapter, device) {
    this.adapter = adapter;
    this.gpu = device;
    this.limits = device.limits;
    this.lost = null;
    // Of all submits that were waited for.
    this.longest = { seconds: 0, what: '' };
    // Of passes that are timed, on a device that has timestamps.
    this.stopwatch = device.features.has('timestamp-query') ? new Stopwatch(this) : null;
    device.lost.then(({ reason, message }) => {
      this.lost = message || reason;
    });
    const { vendor, architecture, device: model, description } = adapter.info;
    this.name = [vendor, architecture, model, description].filter(Boolean).join(', ') || 'unnamed';
    const isNamedSo = /swiftshader|llvmpipe|lavapipe|warp|basic render/i.test(this.name);
    this.isSoftware = Boolean(adapter.info.isFallbackAdapter) || isNamedSo;
  }

  // Opens the best device, with the limits that its adapter has. Throws an Error that says what is missing.
  static async open(gpu) {
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

  // Throws if the device is gone.
  check() {
    if (this.lost !== null) throw new Error(`the device was lost: ${this.lost}`);
  }

  buffer(bytes, usage) {
    return this.gpu.createBuffer({ size: Math.ceil(Math.max(bytes, 4) / 4) * 4, usage });
  }

  storage(bytes) {
    return this.buffer(bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC);
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

  // Hands over what `encode` encodes, which is named by `what`, and waits until it is done; gives the time [s].
  async submit(what, encode) {
    this.check();
    const start = performance.now();
    const encoder = this.gpu.createCommandEncoder();
    encode(encoder);
    this.stopwatch?.resolve(encoder);
    this.gpu.queue.submit([encoder.finish()]);
    await this.gpu.queue.onSubmittedWorkDone();
    this.check();
    const seconds = (performance.now() - start) / 1000;
    await this.stopwatch?.add();
    if (seconds > this.longest.seconds) this.longest = { seconds, what };
    return seconds;
  }

  // Zeros in a buffer, or in its first bytes.
  async clear(buffer, bytes = buffer.size) {
    for (let at = 0; at < bytes; at += CLEAR_BYTES) {
      const length = Math.min(CLEAR_BYTES, bytes - at);
      await this.submit('zeros', (encoder) => encoder.clearBuffer(buffer, at, length));
    }
  }

  // The bytes of a buffer from an offset on.
  async read(buffer, offset, bytes) {
    const found = new Uint8Array(bytes);
    const size = Math.min(bytes, FETCH_BYTES);
    const staging = this.buffer(size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    for (let at = 0; at < bytes; at += size) {
      const length = Math.min(size, bytes - at);
      this.check();
      const encoder = this.gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset + at, staging, 0, length);
      this.gpu.queue.submit([encoder.finish()]);
      try {
        await staging.mapAsync(GPUMapMode.READ, 0, length);
      } catch (error) {
        this.check();
        throw new Error(`a result cannot be read back: ${error.message}`);
      }
      found.set(new Uint8Array(staging.getMappedRange(0, length)), at);
      staging.unmap();
    }
    staging.destroy();
    return found;
  }

  // The two axes of a dispatch of so many workgroups.
  groups(count) {
    const x = Math.max(1, Math.min(count, this.limits.maxComputeWorkgroupsPerDimension));
    return [x, Math.ceil(count / x)];
  }
}

// The time that passes take on the device itself, from its timestamps: one pass a submit.
class Stopwatch {
  constructor(device) {
    this.device = device;
    this.times = device.gpu.createQuerySet({ type: 'timestamp', count: 2 });
    this.resolved = device.buffer(16, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
    this.isRunning = false;
    this.isWritten = false;
    this.seconds = 0;
  }

  start() {
    [this.isRunning, this.seconds] = [true, 0];
  }

  // Gives the time since it was started [s].
  stop() {
    this.isRunning = false;
    return this.seconds;
  }

  // What a pass that is timed begins with.
  descriptor() {
    if (!this.isRunning) return {};
    this.isWritten = true;
    return {
      timestampWrites: { querySet: this.times, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    };
  }

  resolve(encoder) {
    if (this.isWritten) encoder.resolveQuerySet(this.times, 0, 2, this.resolved, 0);
  }

  async add() {
    if (!this.isWritten) return;
    this.isWritten = false;
    const [start, end] = new BigUint64Array((await this.device.read(this.resolved, 0, 16)).buffer);
    if (end > start) this.seconds += Number(end - start) / 1e9;
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
