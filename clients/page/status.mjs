// The status page: queue, jobs, gateway, server.

import { ask, askWho, order, setToken } from './ask.mjs';
import { bytes, digits, duration, element, keyedRows, made, moment, plainRows, say } from './show.mjs';

// Pauses between two looks [ms].
const OFTEN = 3000;
const SELDOM = 10000;

const state = { server: null, pages: 1, next: '', items: [] };

const may = (role) => {
  const ranks = ['read', 'submit', 'admin'];
  return state.server.caller.roles.some((own) => ranks.indexOf(own) >= ranks.indexOf(role));
};

function told(text) {
  say(element('said'), text);
}

function failed(error) {
  if (error.status === 401) {
    ['queue', 'jobs', 'gateway', 'server'].forEach((id) => { element(id).hidden = true; });
    state.server = null;
    told(askWho(error, look));
  } else {
    told(error.message);
  }
}

// Does something after a question to the reader, and looks again.
async function act(question, path) {
  if (!confirm(question)) return;
  try {
    await order(path);
    told('');
    await look();
  } catch (error) {
    failed(error);
  }
}

const short = (id) => id.slice(-12);

const seconds = (from, to) => (from ? (new Date(to ?? Date.now()) - new Date(from)) / 1000 : NaN);

// What is less than read back and equal; and why something is not there yet.
const proved = {
  committed: ', not compared', unverified: ', not read back', superseded: ', a later version came there first',
};
const delivered = ({ object, to, state: at, said, attempts }) => `${object ?? '?'} to ${to}: ${at}${proved[at] ?? ''}`
  + (attempts && ['waiting', 'stored'].includes(at) ? `, ${attempts} failed: ${said}` : '');

// How far a workitem is, with what its worklist says beside.
const workitemWords = ({ worklist, state: at, said }) => `workitem of ${worklist}: `
  + (!said || said.startsWith(at) ? said || at : `${at}; ${said}`);

const stateClass = { succeeded: 'good', verified: 'good', failed: 'bad', aside: 'bad' };

function queueRow(job) {
  const bar = made('progress', { max: 1, 'aria-label': `Progress of job ${short(job.id)}` });
  const [words, kind, since, attempts] = [made('span'), made('td'), made('td'), made('td')];
  const cancel = made('button', {
    type: 'button', 'aria-label': `Cancel job ${short(job.id)}`,
    onclick: () => act(`Cancel job ${short(job.id)}?`, `/api/jobs/${job.id}/cancel`),
  }, 'Cancel');
  const element = made('tr', {}, made('td', { class: 'id', title: job.id }, short(job.id)), kind,
    made('td', {}, bar, ' ', words), since, attempts, made('td', {}, cancel));
  const update = ({ state: at, progress, start_time, create_time, estimate, attempts: count }) => {
    say(kind, at);
    bar.hidden = at !== 'running';
    bar.value = progress?.overall_fraction ?? 0;
    const left = progress?.time_left_s ?? null;
    const running = [progress?.stage, progress && `${Math.round(100 * progress.overall_fraction)} %`,
      progress?.relative_sigma && `σ ${digits(100 * progress.relative_sigma, 2)} %`,
      left !== null && `${duration(left)} left`];
    const waiting = estimate && `about ${duration(estimate.device_time_s)} on the device`;
    say(words, at === 'running' ? running.filter(Boolean).join(', ') : waiting || '');
    say(since, `${duration(seconds(start_time ?? create_time))} ago`, 'time');
    say(attempts, String(count), 'number');
    cancel.hidden = !may('submit');
  };
  return { element, update };
}

function jobRow(job) {
  const [name, kind, took, until, says] = [made('td', { class: 'id', title: job.id }, short(job.id)),
    made('td'), made('td'), made('td'), made('td')];
  const words = made('span');
  const link = made('a', { href: `/view#${job.id}`, 'aria-label': `View the dose of job ${short(job.id)}` }, 'View');
  says.append(words, link);
  const element = made('tr', {}, name, kind, made('td', { class: 'time' }, moment(job.create_time)), took, until, says);
  const update = ({ state: at, start_time, end_time, expire_time, error }) => {
    say(kind, at, stateClass[at] ?? '');
    say(took, start_time ? duration(seconds(start_time, end_time)) : '', 'time');
    say(until, moment(expire_time), 'time');
    say(words, error ? `${error.reason}: ${error.message}` : '');
    link.hidden = at !== 'succeeded';
  };
  return { element, update };
}

const ACTIONS = [
  { name: 'Release', path: 'release', of: ['held'], ask: 'Release and send' },
  { name: 'Retry', path: 'retry', of: ['aside', 'skipped'], ask: 'Try again' },
  { name: 'Drop', path: 'drop', of: ['received', 'ready', 'held', 'released', 'aside'], ask: 'Do nothing more with' },
];

function itemRow({ id }) {
  const [kind, since, rule, reason, deliveries, actions] = Array.from({ length: 6 }, () => made('td'));
  const buttons = ACTIONS.map(({ name, path, ask: question }) => made('button', {
    type: 'button', 'aria-label': `${name} item ${id}`,
    onclick: () => act(`${question} ${id}?`, `/api/gateway/${encodeURIComponent(id)}/${path}`),
  }, name));
  actions.append(...buttons);
  const element = made('tr', {}, made('td', { class: 'id' }, id), kind, since, rule, reason, deliveries, actions);
  const update = (item) => {
    say(kind, item.state, stateClass[item.state] ?? '');
    say(since, moment(item.since_ms), 'time');
    say(rule, item.rule ?? '');
    say(reason, item.reason);
    const work = item.workitem && workitemWords(item.workitem);
    say(deliveries, [...item.deliveries.map(delivered), work].filter(Boolean).join('; '));
    buttons.forEach((button, at) => { button.hidden = !ACTIONS[at].of.includes(item.state); });
  };
  return { element, update };
}

const body = (id) => document.querySelector(`#${id} tbody`);

async function lookAtQueue() {
  const { jobs } = await ask('/api/jobs?state=running&state=queued');
  jobs.sort((a, b) => (a.state === b.state ? 0 : a.state === 'running' ? -1 : 1));
  const running = jobs.filter((job) => job.state === 'running').length;
  say(element('queue-count'), `${running} running, ${jobs.length - running} waiting`);
  keyedRows(body('queue'), jobs, (job) => job.id, queueRow);
}

const jobsQuery = (token) => {
  const kind = element('jobs-state').value;
  return `/api/jobs?${[kind && `state=${kind}`, token && `page_token=${token}`].filter(Boolean).join('&')}`;
};

async function lookAtJobs() {
  // All pages that are shown: what is new moves the others on.
  const found = new Map();
  let next = '';
  for (let page = 0; page < state.pages && (page === 0 || next); page += 1) {
    const { jobs, next_page_token: token } = await ask(jobsQuery(next));
    for (const job of jobs) found.set(job.id, job);
    next = token;
  }
  state.next = next;
  keyedRows(body('jobs'), [...found.values()], (job) => job.id, jobRow);
  element('jobs-more').hidden = !state.next;
}

async function olderJobs() {
  state.pages += 1;
  await lookAtJobs();
}

function showItems() {
  const [kind, text] = [element('gateway-state').value, element('gateway-text').value.trim().toLowerCase()];
  const meets = (item) => (!kind || item.state === kind)
    && (!text || [item.id, item.rule, item.reason].some((words) => words?.toLowerCase().includes(text)));
  keyedRows(body('gateway'), state.items.filter(meets), (item) => item.id, itemRow);
}

async function lookAtGateway() {
  let found;
  try {
    found = await ask('/api/gateway');
  } catch (error) {
    if (error.status === 401) throw error;
    say(element('gateway-said'), error.message, 'bad');
    return;
  }
  say(element('gateway-said'), '');
  state.items = found.items;
  const select = element('gateway-state');
  const count = (name) => state.items.filter((item) => item.state === name).length;
  const options = [['', `all (${state.items.length})`],
    ...found.states.map((name) => [name, `${name} (${count(name)})`])];
  if (!select.options.length) select.append(...options.map(([value]) => made('option', { value })));
  options.forEach(([, text], at) => say(select.options[at], text));
  showItems();
}

async function lookAtServer() {
  const server = await ask('/api/server');
  state.server = server;
  const { name, tenant, roles } = server.caller;
  say(element('who'), `${server.version}; you are ${name} of ${tenant} (${roles.join(', ')})`, 'muted');
  element('other').hidden = !sessionStorage.getItem('dosegrid-token');
  plainRows(body('devices'), server.devices.map((device) => [device.id, device.name, device.kind, device.backend,
    device.driver, device.id === server.serving_device_id ? 'this server' : '']));
  const { limits } = server;
  plainRows(body('limits'), [
    ['Memory for all requests', bytes(limits.memory_bytes)],
    ['Largest volume', bytes(limits.max_volume_bytes)],
    ['Requests that may wait', limits.queue_length],
    ['Longest computing time', duration(limits.compute_limit_s)],
    ['Finished jobs are kept', server.has_store ? duration(limits.job_ttl_s) : 'no: this server has no store'],
  ]);
  plainRows(body('caches'), server.caches.map((cache) => [cache.name, cache.entries, bytes(cache.bytes), cache.hits,
    cache.misses]));
  element('server').hidden = false;
  element('queue').hidden = element('jobs').hidden = !server.has_store || !may('read');
  element('gateway').hidden = !server.has_gateway || !may('admin');
}

async function look() {
  try {
    await lookAtServer();
    if (!element('queue').hidden) await Promise.all([lookAtQueue(), lookAtJobs()]);
    if (!element('gateway').hidden) await lookAtGateway();
    told('');
  } catch (error) {
    failed(error);
  }
}

// Looks again and again while somebody can see it and is known.
function often(pause, id, work) {
  setInterval(() => {
    if (!document.hidden && state.server && !element(id).hidden) work().catch(failed);
  }, pause);
}

element('jobs-state').addEventListener('change', () => {
  state.pages = 1;
  lookAtJobs().catch(failed);
});
element('jobs-more').addEventListener('click', () => olderJobs().catch(failed));
element('gateway-state').addEventListener('change', showItems);
element('gateway-text').addEventListener('input', showItems);
element('other').addEventListener('click', () => {
  setToken('');
  look();
});
often(OFTEN, 'queue', lookAtQueue);
often(SELDOM, 'jobs', lookAtJobs);
often(SELDOM, 'gateway', lookAtGateway);
often(6 * SELDOM, 'server', lookAtServer);
look();
