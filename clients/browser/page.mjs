// The page that `dosegrid bench --page` writes: checks and measures the GPU of whoever opens it.

import { readCapture } from './capture.mjs';
import { compareResult, digits } from './compare.mjs';
import { Device } from './device.mjs';
import { ceilings, convolution, transport } from './measure.mjs';
import { MOST_SECONDS } from './pace.mjs';
import { Replay } from './replay.mjs';
import { difference, element, picture, table } from './show.mjs';

const contents = JSON.parse(element('contents').textContent);
let running = null;
let report = null;

element('version').textContent = `${contents.version} (${contents.commit.slice(0, 12)})`;
element('start').addEventListener('click', start);
element('stop').addEventListener('click', () => running?.abort());
element('save').addEventListener('click', save);
element('copy').addEventListener('click', () => navigator.clipboard.writeText(json()));

async function start() {
  running = new AbortController();
  setRunning(true);
  for (const id of ['device', 'results', 'compile', 'speed', 'json']) element(id).hidden = true;
  element('verdict').hidden = true;
  element('results').querySelector('div').replaceChildren();
  let device = null;
  try {
    report = null;
    say('Looking for a GPU', 0);
    device = await Device.open(navigator.gpu);
    showDevice(device);
    report = newReport(describe(device));
    const { replays, faults } = await check(device, running.signal);
    if (faults.length) {
      verdict('wrong', `Wrong: this device computes something else. ${faults.join(' ')}`);
    } else {
      verdict('right', 'Right: every result agrees.');
    }
    await measure(device, replays, running.signal);
    say(slowness(device) || 'Done.', 1);
  } catch (error) {
    if (error.name === 'AbortError') say('Stopped.', 0);
    else fail(error);
  } finally {
    device?.gpu.destroy();
    setRunning(false);
  }
}

// Holds what the device computes against each capture. Gives the captures as they stand on it, and what is wrong.
async function check(device, signal) {
  const [measured] = report.devices;
  const [faults, replays] = [[], []];
  // What the stages whose times are told were compiled from: a transform of another length is another stage.
  const sources = new Map();
  for (const [number, item] of contents.captures.entries()) {
    const part = (done) => (number + done) / (contents.captures.length + 1);
    const capture = await readCapture(bytesOf(item.base64));
    const replay = new Replay(device, capture);
    const onStage = (stage, done) => say(`Compiling ${stage}`, part(done / 2));
    for (const { stage, source, seconds } of await replay.compile(signal, onStage)) {
      const known = measured.compile.find((row) => row.stage === stage);
      if (!known) {
        sources.set(stage, source);
        measured.compile.push({ stage, cold_s: seconds, warm_s: seconds });
      } else if (sources.get(stage) === source) known.warm_s = seconds;
    }
    const compared = [];
    await replay.run({
      signal,
      onProgress: (done) => say(`Running ${capture.header.title}`, part((1 + done) / 2)),
      onResult: async (step, bytes, accounts) => {
        const result = await compareResult(capture, step, bytes, accounts);
        measured.twins.push(...(result.twins ?? []));
        compared.push(result);
      },
    });
    showResult(capture, compared);
    const wrong = compared.flatMap((result) => result.faults);
    if (wrong.length) faults.push(`${capture.header.title}: ${wrong[0]}${wrong.length > 1 ? ' and more' : ''}.`);
    measured.checks.push({
      title: capture.header.title,
      is_right: wrong.length === 0,
      said: compared.map(({ said }) => said),
      faults: wrong.slice(0, 20),
    });
    replays.push({ replay, item });
    showCompile(measured.compile);
    measured.submits = device.submits.figures();
    showJson();
  }
  return { replays, faults };
}

// Measures what the device can do at most, and how fast it does what is in the captures.
async function measure(device, replays, signal) {
  const [measured] = report.devices;
  const measuring = contents.captures.length / (contents.captures.length + 1);
  say('Measuring what the device can do at most', measuring);
  measured.ceilings = await ceilings(device, contents.probes, signal);
  showSpeed(device, measured);
  for (const { replay, item } of replays) {
    say(`Measuring ${replay.capture.header.title}`, measuring);
    if (item.convolution) {
      const { copy_bytes_per_s: copyRate } = measured.ceilings;
      measured.convolution.push(await convolution(replay, item.convolution, copyRate, signal));
    } else if (item.transport) {
      measured.transport.push(await transport(replay, item.transport, signal));
    }
    replay.destroy();
    showSpeed(device, measured);
    measured.submits = device.submits.figures();
    showJson();
  }
}

// What is given to the device in pieces that cannot be small enough, in words.
function slowness({ submits }) {
  const slow = submits.tooSlow().map(([what, seconds]) => `${what} (${digits(1e3 * seconds)} ms)`);
  const limit = digits(1e3 * MOST_SECONDS);
  return slow.length
    ? `Done. This device is slow: the smallest pieces last longer than ${limit} ms, and what is beside them waits: ` +
        `${slow.join(', ')}.`
    : '';
}

// What went wrong, in words. A verdict that was reached stands.
function fail(error) {
  const text = `${error.message.replace(/\.$/, '')}. ${advice(error)}`;
  const isFirst = element('verdict').hidden;
  if (isFirst) verdict('wrong', `${report ? 'Failed' : 'Not supported'}: ${text}`);
  say(isFirst ? 'Ended.' : `Ended: ${text}`, element('progress').value);
}

function describe(device) {
  const { vendor, architecture, device: model, description } = device.adapter.info;
  const name = description || [vendor, architecture, model].filter(Boolean).join(' ') || 'unnamed';
  return {
    id: 'gpu',
    kind: device.isSoftware ? 'software-gpu' : 'other-gpu',
    name,
    backend: 'webgpu',
    driver: navigator.userAgent,
  };
}

function newReport(device) {
  const limits = {};
  for (const name of contents.limits) limits[name] = Number(deviceLimit(name));
  return {
    schema: contents.schema,
    schema_version: contents.schema_version,
    version: contents.version,
    commit: contents.commit,
    date: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    quick: true,
    host: { os: platform(), arch: 'browser', threads: navigator.hardwareConcurrency ?? 1 },
    devices: [
      {
        device,
        adapter: { vendor: 0, device: 0, pci_bus_id: '', limits, features: features(), features_used: usedFeatures() },
        compile: [],
        ceilings: { atomics: [] },
        convolution: [],
        transport: [],
        end_to_end: [],
        twins: [],
        checks: [],
      },
    ],
  };
}

let opened = null;

function deviceLimit(name) {
  return opened.adapter.limits[name] ?? 0;
}

function features() {
  return [...opened.adapter.features].sort();
}

function usedFeatures() {
  return opened.stopwatch ? ['timestamp-query'] : [];
}

function platform() {
  return navigator.userAgentData?.platform ?? navigator.platform ?? 'unknown';
}

function advice({ message }) {
  if (message.includes('no WebGPU')) {
    return 'Use a current Chrome or Edge, Safari 26 or later, or Firefox 141 or later on Windows.';
  }
  if (message.includes('the device failed')) return 'It may be short of memory: close other programs, and try again.';
  if (message.includes('finds no GPU')) {
    return 'Turn on hardware acceleration in the settings of the browser; on Linux, Chrome may need the flag ' +
      '--enable-unsafe-webgpu or --enable-features=Vulkan.';
  }
  if (message.includes('lost')) return 'The driver ended it, or it fell asleep: try again, or load the page again.';
  return '';
}

function showDevice(device) {
  opened = device;
  const { info, limits } = device.adapter;
  const rows = [
    ['Maker', info.vendor],
    ['Architecture', info.architecture],
    ['Model', info.device],
    ['Description', info.description],
    ['Kind', device.isSoftware ? 'software: the figures are those of this processor' : 'hardware'],
    ['Browser', navigator.userAgent],
    ...contents.limits.map((name) => [name, limits[name]]),
    ['Features', features().join(', ')],
  ];
  table('device', null, rows.filter(([, value]) => value !== undefined && value !== ''));
}

function showCompile(stages) {
  table('compile', ['stage', 's'], stages.map(({ stage, cold_s: seconds }) => [stage, seconds.toFixed(3)]));
}

function showSpeed(device, { ceilings: found, convolution: convolutions, transport: transports }) {
  const giga = (value) => (value ? digits(value / 1e9) : '');
  const rows = [
    ['memory read [GB/s]', giga(found.read_bytes_per_s)],
    ['memory written [GB/s]', giga(found.write_bytes_per_s)],
    ['memory copied [GB/s]', giga(found.copy_bytes_per_s)],
    ['multiply and add [GFLOP/s]', giga(found.flop_per_s)],
    ['integers [10⁹/s]', giga(found.integer_per_s)],
    ...convolutions.map(({ edge, kernel_edge: kernel, wall }) => [
      `convolution ${edge}³ ∗ ${kernel}³ [ms]`,
      `${digits(1e3 * wall.median_s)} (${digits(1e3 * wall.least_s)} to ${digits(1e3 * wall.most_s)})`,
    ]),
    ['longest submit [ms]', longest(device)],
    ...transports.map(({ nuclide, source, spacing_mm: spacing, speed }) => [
      `${nuclide}, ${source}, ${spacing} mm [10⁶ decays/s]`,
      digits(speed.histories_per_s / 1e6),
    ]),
  ];
  table('speed', null, rows.filter(([, value]) => value));
}

// The longest submit, and how many were too long.
function longest({ submits: { count, over, longest: { seconds, onDevice, what } } }) {
  const own = onDevice === null ? '' : `, ${digits(1e3 * onDevice)} of them on the device`;
  return `${digits(1e3 * seconds)} (${what}${own}); ${over} of ${count} above ${digits(1e3 * MOST_SECONDS)}`;
}

function showResult(capture, compared) {
  const box = document.createElement('div');
  const title = document.createElement('h3');
  title.textContent = capture.header.title;
  box.append(title);
  for (const { faults, said, found, expected, rows } of compared) {
    const line = document.createElement('p');
    const word = document.createElement('span');
    word.className = faults.length ? 'wrong' : 'right';
    word.textContent = faults.length ? 'Wrong' : 'Right';
    line.append(word, `: ${[said, ...faults.slice(0, 5)].join('; ')}`);
    box.append(line);
    for (const { name, relative, sigmas } of rows ?? []) {
      const region = document.createElement('p');
      region.className = 'muted';
      region.textContent = `${name}: ${digits(relative)} apart, ${digits(sigmas)} standard deviations`;
      box.append(region);
    }
    if (found && found.length === capture.header.grid.shape.reduce((product, n) => product * n)) {
      box.append(picture(capture, found, 'computed here'), picture(capture, difference(found, expected), 'difference'));
    }
  }
  const section = element('results');
  section.hidden = false;
  section.querySelector('div').append(box);
}

function showJson() {
  element('json').hidden = false;
  element('json').querySelector('textarea').value = json();
}

function json() {
  return `${JSON.stringify(report, null, 2)}\n`;
}

function save() {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([json()], { type: 'application/json' }));
  link.download = 'dosegrid-bench.json';
  link.click();
  URL.revokeObjectURL(link.href);
}

function say(text, part) {
  element('doing').textContent = text;
  element('progress').value = part;
}

function verdict(kind, text) {
  const box = element('verdict');
  box.className = kind;
  box.textContent = text;
  box.hidden = false;
}

function setRunning(isRunning) {
  element('start').disabled = isRunning;
  element('stop').disabled = !isRunning;
}

function bytesOf(base64) {
  const text = atob(base64);
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
