// How much of some work is given to a device at a time.

// Longest time of a submit [s]: a browser may draw nothing for as long.
export const MOST_SECONDS = 0.05;
// Intended time [s]: a quarter, since a machine may be busy and pieces of the same size differ.
export const AIM_SECONDS = MOST_SECONDS / 4;
// A submit has at most so many times as much as the one before if that was short, and if it was not: what the same
// amount takes varies.
const SHORT_SECONDS = AIM_SECONDS / 4;
const GROWTH_IF_SHORT = 2;
const GROWTH = 1.25;
// And at least such a part if that was a little longer than was meant, and if it was long.
const LONG_SECONDS = 2 * AIM_SECONDS;
const SHRINKAGE = 1 / GROWTH;
const SHRINKAGE_IF_LONG = 1 / 3;
// A machine that made a submit long is busy, and may be so again: what is given grows by no more than this after it,
// and by a little more from one submit to the next.
const GROWTH_AFTER_LONG = 1.05;
const GROWTH_OF_GROWTH = 1.02;

// Pieces of one kind of work. They begin with the smallest, grow by a small factor from what was measured, and shrink
// at once. `.ci/pace.mjs` plays loads to them.
export class Pace {
  // `least`: the smallest piece, in units of the work.
  constructor(least) {
    this.least = least;
    // Work that is thought to last as long as is intended, or less.
    this.amount = least;
    // So many times as much as the submit before may be given.
    this.growth = GROWTH_IF_SHORT;
  }

  // Another that begins where this one stands.
  copy() {
    return Object.assign(new Pace(this.least), this);
  }

  // So much lasted so long [s]. `isFull`: whether as much may not take longer another time, when there is more to do.
  learn(amount, seconds, isFull = true) {
    const fitting = amount * (AIM_SECONDS / Math.max(seconds, 1e-6));
    if (seconds > LONG_SECONDS) {
      this.amount = between(fitting, SHRINKAGE_IF_LONG * this.amount, this.amount);
      this.growth = GROWTH_AFTER_LONG;
    } else if (seconds > AIM_SECONDS) {
      this.amount = between(fitting, SHRINKAGE * this.amount, this.amount);
    } else if (isFull) {
      const growth = seconds < SHORT_SECONDS ? this.growth : Math.min(GROWTH, this.growth);
      this.amount = between(fitting, this.amount, growth * this.amount);
      this.growth = Math.min(GROWTH_IF_SHORT, GROWTH_OF_GROWTH * this.growth);
    }
    this.amount = Math.max(this.least, this.amount);
  }
}

// The times of all submits, by what they do.
export class Submits {
  constructor() {
    this.count = 0;
    this.over = 0;
    // By the clock of the device, of those that it measured [s].
    this.onDevice = 0;
    this.longest = { seconds: 0, onDevice: null, what: '' };
    // Shortest time of the smallest pieces.
    this.least = new Map();
  }

  // `seconds`: until it was done; `onDevice`: of these by the clock of the device, or null; `isLeast`: whether nothing
  // smaller can be given.
  add(what, seconds, onDevice, isLeast) {
    this.count += 1;
    this.over += seconds > MOST_SECONDS;
    this.onDevice += onDevice ?? 0;
    if (seconds > this.longest.seconds) this.longest = { seconds, onDevice, what };
    if (isLeast) this.least.set(what, Math.min(seconds, this.least.get(what) ?? Infinity));
  }

  // What lasts too long even in its smallest pieces, with their time [s].
  tooSlow() {
    return [...this.least].filter(([, seconds]) => seconds > MOST_SECONDS);
  }

  // As `dosegrid bench` writes them.
  figures() {
    const { seconds, onDevice, what } = this.longest;
    return {
      count: this.count,
      limit_s: MOST_SECONDS,
      over: this.over,
      longest_s: seconds,
      longest_on_device_s: onDevice,
      longest_of: what,
      too_slow: this.tooSlow().map(([name]) => name),
    };
  }
}

// What a submit lasted, to size the next by: the time on the device, without the wait for a busy machine. But at least
// half of the whole: a clock may be wrong, and where all wait for long, what is waited for must be short.
export function ownSeconds(seconds, onDevice) {
  return onDevice === null ? seconds : Math.min(seconds, Math.max(onDevice, seconds / 2));
}

export function between(value, least, most) {
  return Math.max(least, Math.min(value, most));
}
