// Reads a capture: what a GPU was given and what it answered. The format is in docs/capture.md.

const MAGIC = 'dgcap 1\n';
const FORMAT = 'dosegrid.capture';
const VERSION = 2;
const ALIGNMENT = 8;
// Most bytes of a capture once it is unpacked.
const MOST_BYTES = 2 ** 31;

export class Capture {
  constructor(header, data) {
    this.header = header;
    this.data = data;
  }

  // The bytes of a blob.
  blob(number) {
    const { offset, bytes } = this.header.blobs[number];
    return this.data.subarray(offset, offset + bytes);
  }

  // A blob as numbers of a typed array.
  numbers(number, Type) {
    const bytes = this.blob(number);
    return new Type(bytes.buffer, bytes.byteOffset, bytes.byteLength / Type.BYTES_PER_ELEMENT);
  }

  // The buffer that a pipeline's variable is bound to, by the number of the bindings.
  buffer(bindings, name) {
    const bound = this.header.bindings[bindings];
    const slot = this.header.pipelines[bound.pipeline].bindings.find((binding) => binding.name === name);
    return slot && bound.buffers[slot.slot];
  }

  // The stage of some bindings.
  stage(bindings) {
    return this.header.stages[this.header.pipelines[this.header.bindings[bindings].pipeline].stage];
  }

  steps(kind) {
    return this.header.steps.filter((step) => step.do === kind);
  }
}

// Unpacks and checks a file. Throws an Error that says what is wrong with it.
export async function readCapture(file) {
  const bytes = await unpacked(file);
  const text = new TextDecoder();
  if (bytes.length < 16 || text.decode(bytes.subarray(0, MAGIC.length)) !== MAGIC) {
    throw new Error('it is not a capture of dosegrid, or of a newer version than this program knows');
  }
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(8, true));
  const start = 16 + Math.ceil(headerBytes / ALIGNMENT) * ALIGNMENT;
  if (start > bytes.length) throw new Error('the capture is cut short');
  const header = JSON.parse(text.decode(bytes.subarray(16, 16 + headerBytes)));
  if (header.format !== FORMAT || header.version !== VERSION) {
    throw new Error(`it is a ${header.format} of version ${header.version}, and this program reads version ${VERSION}`);
  }
  // A copy, so that blobs lie at multiples of their size.
  const data = bytes.slice(start);
  for (const { offset, bytes: length } of header.blobs) {
    if (offset % ALIGNMENT !== 0 || offset + length > data.length) throw new Error('the capture is cut short');
  }
  return new Capture(header, data);
}

async function unpacked(file) {
  const stream = new Blob([file]).stream().pipeThrough(new DecompressionStream('gzip'));
  const parts = [];
  let length = 0;
  try {
    for (const reader = stream.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > MOST_BYTES) break;
      parts.push(value);
    }
  } catch {
    throw new Error('it is not a whole capture: it cannot be unpacked');
  }
  if (length > MOST_BYTES) throw new Error('the capture is larger than this program takes');
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
