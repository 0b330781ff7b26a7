// Plays devices to the rules by which submits are sized (clients/browser/pace.mjs): no submit may be too long, and none
// so short that a device mostly waits, whatever a device, its noise and what runs beside it are.
//
//     node .ci/pace.mjs

import { AIM_SECONDS, MOST_SECONDS, Pace, Submits, ownSeconds } from '../clients/browser/pace.mjs';

const faults = [];
const expect = (holds, fault) => {
  if (!holds) faults.push(fault);
};

// Numbers from 0 to 1, the same in every run.
let state = 1;
function random() {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
}

// Submits so long [s] whose every piece costs `cost(number)` [s], with a fixed time [s] for each submit.
function played(cost, fixed, submits = 400) {
  const pace = new Pace(1);
  const times = [];
  for (let number = 0; number < submits; number++) {
    const amount = Math.floor(pace.amount);
    times.push(fixed + amount * cost(number));
    pace.learn(amount, times.at(-1));
  }
  return times;
}

// Devices from a slow telephone to a fast card, with what a submit costs and noise of a third.
for (const cost of [1e-7, 1e-5, 1e-3, 1e-2]) {
  for (const fixed of [0, 1e-4, 3e-3]) {
    const times = played(() => cost * (0.85 + 0.3 * random()), fixed);
    const longest = Math.max(...times);
    expect(longest <= MOST_SECONDS, `a piece of ${cost} s: a submit of ${longest} s`);
    const middle = [...times].sort((a, b) => a - b)[times.length / 2];
    expect(middle > AIM_SECONDS / 3, `a piece of ${cost} s: submits of ${middle} s`);
  }
}

// Pieces become up to twice as long from one submit to the next, and stay so.
for (let step = 40; step < 80; step++) {
  const longest = Math.max(...played((number) => (number < step ? 1e-4 : 2e-4), 1e-3));
  expect(longest <= MOST_SECONDS, `pieces that become twice as long: a submit of ${longest} s`);
}

// A machine that becomes five times as slow for a while: what is given shrinks until submits are short again.
const slow = played((number) => (number >= 50 && number < 100 ? 5e-4 : 1e-4), 0);
expect(slow.filter((seconds) => seconds > MOST_SECONDS).length <= 2, 'a machine that slows down: several are too long');
expect(slow.at(-1) > AIM_SECONDS / 3, `after a machine was slow: submits of ${slow.at(-1)} s`);

// Loads that come and go, for a minute each: what a submit takes is multiplied, or something is added to it. No more
// than such a share of the submits may be too long, and such a part of what the device could do must be done.
const normal = () => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
// Shares of a processor: after some milliseconds, others may have their turn.
const turns = (own, chance) => (seconds) => {
  let waited = 0;
  for (let left = seconds / own + random(); left >= 1; left--) waited += random() < chance ? own + 0.02 * random() : 0;
  return seconds + waited;
};
const LOADS = [
  ['none', (seconds) => seconds, 0, 0.9],
  ['a third of the speed from the third second on', (seconds, time) => (time < 3 ? 1 : 3) * seconds, 0, 0.28],
  ['a third of the speed, on and off', (seconds, time) => (Math.floor(time / 0.7) % 2 ? 3 : 1) * seconds, 0, 0.55],
  ['a fifth of the speed, on and off quickly',
    (seconds, time) => (Math.floor(time / 0.15) % 2 ? 5 : 1) * seconds, 0.045, 0.5],
  ['one of 33 is held up by as much as 40 ms',
    (seconds) => seconds + (random() < 0.03 ? 0.04 * random() : 0), 0.002, 0.8],
  ['a factor of 1.6 either way', (seconds) => seconds * Math.exp(0.5 * normal()), 0.006, 0.75],
  ['a factor of 2.2 either way', (seconds) => seconds * Math.exp(0.8 * normal()), 0.02, 0.6],
  ['others take turns of as much as 24 ms', turns(0.004, 0.4), 0.004, 0.3],
];
for (const [load, busy, share, part] of LOADS) {
  for (const cost of [1e-5, 2e-3]) {
    const pace = new Pace(1);
    let [time, done, count, over, longest] = [0, 0, 0, 0, 0];
    while (time < 60) {
      const amount = Math.floor(pace.amount);
      const seconds = busy(5e-4 + amount * cost, time);
      pace.learn(amount, seconds);
      time += seconds;
      done += (amount * cost) / 60;
      count += 1;
      over += seconds > MOST_SECONDS;
      longest = Math.max(longest, seconds);
    }
    const said = `${load}: ${over} of ${count} too long, the longest ${Math.round(1e3 * longest)} ms, ` +
      `${Math.round(100 * done)} % done`;
    console.log(said);
    expect(over <= share * count && done >= part, said);
  }
}

// What had little to do does not make the next larger, but may make it smaller.
const idle = new Pace(1);
idle.learn(1, 1e-3, false);
expect(idle.amount === 1, `after little to do: ${idle.amount}`);
for (let number = 0; number < 9; number++) idle.learn(idle.amount, 1e-3);
const before = idle.amount;
idle.learn(before, 1, false);
expect(Math.abs(idle.amount - before / 3) < 1e-9 && before > 3, `after little to do that lasted long: ${idle.amount}`);

// All of a submit lasts many times as long as the device says: what is waited for is short enough all the same.
for (const factor of [1.5, 4, 10]) {
  const pace = new Pace(1);
  const seconds = [];
  for (let number = 0; number < 400; number++) {
    const own = Math.floor(pace.amount) * 1e-5;
    const whole = factor * own * (0.7 + 0.6 * random());
    pace.learn(Math.floor(pace.amount), ownSeconds(whole, own));
    seconds.push(whole);
  }
  const longest = Math.max(...seconds);
  expect(longest <= MOST_SECONDS && longest > AIM_SECONDS, `${factor} times what the device says: ${longest} s`);
}

// What cannot be given in smaller pieces is told.
const submits = new Submits();
for (const seconds of [0.2, 0.06]) submits.add('slow', seconds, null, true);
for (const seconds of [0.2, 0.04]) submits.add('disturbed', seconds, null, true);
submits.add('large', 0.3, 0.01, false);
const figures = submits.figures();
expect(figures.too_slow.join() === 'slow', `too slow: ${figures.too_slow}`);
expect(figures.count === 5 && figures.over === 4, JSON.stringify(figures));
expect(figures.longest_of === 'large' && figures.longest_s === 0.3, JSON.stringify(figures));
expect(figures.longest_on_device_s === 0.01, JSON.stringify(figures));

// The wait for a busy machine is no reason for smaller pieces; a clock that stands still is not believed.
expect(ownSeconds(0.03, null) === 0.03 && ownSeconds(0.03, 0.02) === 0.02, 'the clock of the device');
expect(ownSeconds(0.04, 0) === 0.02 && ownSeconds(0.03, 5) === 0.03, 'a clock that is wrong');

faults.forEach((fault) => console.error(`FAULT: ${fault}`));
console.log(faults.length ? `${faults.length} faults` : 'submits are sized as they should be');
process.exit(faults.length ? 1 : 0);
