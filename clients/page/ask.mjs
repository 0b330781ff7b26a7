// Asks the server that this page is from, as whoever has the token.

const KEY = 'dosegrid-token';

// Why a question was not answered.
export class Refused extends Error {
  constructor(status, { reason = '', message = '' } = {}) {
    super(message || `the server says ${status}`);
    Object.assign(this, { status, reason });
  }
}

export function setToken(text) {
  sessionStorage.setItem(KEY, text);
}

async function fetched(path, options) {
  const headers = { 'x-dosegrid': '1', ...options.headers };
  const token = sessionStorage.getItem(KEY);
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(path, { ...options, headers, redirect: 'error' }).catch(() => {
    throw new Refused(0, { message: 'the server does not answer' });
  });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return response;
}

// What the server says, from JSON.
export async function ask(path, options = {}) {
  return (await fetched(path, options)).json();
}

// Asks for something to be done.
export function order(path) {
  return ask(path, { method: 'POST' });
}

// The bytes of a volume. `onBytes` hears how many there are.
export async function bytesOf(path, onBytes) {
  const response = await fetched(path, {});
  const all = new Uint8Array(Number(response.headers.get('content-length')));
  let taken = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    all.set(value, taken);
    taken += value.length;
    onBytes?.(value.length);
  }
  if (taken !== all.length) throw new Refused(0, { message: 'a volume came in part' });
  return all;
}

// Shows the form for a token where one is needed, and calls `begin` when there is one.
export function askWho(error, begin) {
  const form = document.getElementById('identity');
  form.hidden = false;
  form.onsubmit = (event) => {
    event.preventDefault();
    setToken(document.getElementById('token').value.trim());
    document.getElementById('token').value = '';
    form.hidden = true;
    begin();
  };
  document.getElementById('token').focus();
  return error.message;
}
