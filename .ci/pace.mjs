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

// A machine that becomes five times as slow for a while: what is given is halved until submits are short again.
const slow = played((number) => (number >= 50 && number < 100 ? 5e-4 : 1e-4), 0);
expect(slow.filter((seconds) => seconds > MOST_SECONDS).length <= 2, 'a machine that slows down: several are too long');
expect(slow.at(-1) > AIM_SECONDS / 3, `after a machine was slow: submits of ${slow.at(-1)} s`);

// What had little to do does not make the next larger, but may make it smaller.
const idle = new Pace(1);
idle.learn(1, 1e-3, false);
expect(idle.amount === 1, `after little to do: ${idle.amount}`);
for (let number = 0; number < 9; number++) idle.learn(idle.amount, 1e-3);
const before = idle.amount;
idle.learn(before, 1, false);
expect(idle.amount === before / 2 && before > 3, `after little to do that lasted long: ${idle.amount}`);

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
expect(ownSeconds(0.04, 0) === 0.01 && ownSeconds(0.03, 5) === 0.03, 'a clock that is wrong');

faults.forEach((fault) => console.error(`FAULT: ${fault}`));
console.log(faults.length ? `${faults.length} faults` : 'submits are sized as they should be');
process.exit(faults.length ? 1 : 0);
