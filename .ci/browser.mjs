// What the trials of pages share: headless Chromium at two sizes, what goes wrong in a tab, pictures, axe-core.

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

export const SIZES = [{ width: 1280, height: 900 }, { width: 390, height: 844 }];

// Starts Chromium by the npm package `playwright-core`; ends with 3 if that does not start.
//
//     module   index.mjs of that package
//     axe      axe.js of `axe-core`
//     folder   gets pictures
export async function launch(module, axe, folder) {
  const { chromium } = await import(pathToFileURL(resolve(module)).href);
  mkdirSync(folder, { recursive: true });
  const faults = [];
  const check = (is, words) => is || faults.push(words);
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync',
      '--disable-component-update', '--disable-dev-shm-usage'],
  }).catch((reason) => {
    console.log(`cannot be had: Chromium, which does not start: ${reason.message}`);
    process.exit(3);
  });

  // A tab that notes what goes wrong, and where it asks. Refusals by these statuses are meant.
  async function tab(size, origin, meant = / 401 /) {
    const page = await browser.newPage({ viewport: size });
    page.on('request', (request) => check(request.url().startsWith(origin), `it asked ${request.url()}`));
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      check(message.type() !== 'error' || meant.test(message.text()), message.text());
    });
    page.on('dialog', (dialog) => dialog.accept());
    return page;
  }

  // A picture, and what axe-core finds.
  async function looked(page, name) {
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    const wide = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
    check(wide <= 0, `${name}: ${wide} pixels too wide`);
    await page.evaluate(readFileSync(axe, 'utf8'));
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).forEach(({ id, nodes }) => {
      faults.push(`${name}: axe: ${id}: ${nodes.map((node) => node.target).join(', ')}`);
    });
    const found = violations.map(({ id, impact }) => `${id} ${impact}`);
    console.log(`${name}: axe: ${found.length} findings: ${found}`);
  }

  // Ends all; the exit status.
  async function end() {
    await browser.close();
    faults.forEach((fault) => console.error(`FAULT: ${fault}`));
    return faults.length ? 1 : 0;
  }

  return { check, end, faults, looked, tab };
}

// Starts a program that goes on, and waits for what it says.
export function started(program, words, mark, options = {}) {
  const child = spawn(program, words, options);
  return new Promise((done, failed) => {
    let text = '';
    const hear = (data) => {
      text += data;
      const found = text.match(mark);
      if (found) done({ child, found: found[1] });
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('exit', () => failed(new Error(text)));
  });
}

// A port that nobody has.
export const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});
