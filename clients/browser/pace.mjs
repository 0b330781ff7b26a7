// How much of some work is given to a device at a time.

// Longest time of a submit [s]: a browser may draw nothing for as long.
export const MOST_SECONDS = 0.05;
// Intended time [s]: less, since a machine may be busy and pieces of the same size differ.
export const AIM_SECONDS = 0.015;
// A submit has at most so many times as much as the one before if that was short, and if it was not: what the same
// amount takes varies.
const SHORT_SECONDS = AIM_SECONDS / 4;
const GROWTH_IF_SHORT = 2;
const GROWTH = 1.25;
// And at least such a part: what lasted longer than was meant may have done so because the machine was busy.
const SHRINKAGE = 1 / GROWTH;
const SHRINKAGE_IF_TOO_LONG = 0.5;

// Pieces of one kind of work. They begin with the smallest, grow by a small factor from what was measured, and shrink
// at once.
export class Pace {
  // `least`: the smallest piece, in units of the work.
  constructor(least) {
    this.least = least;
    // Work that is thought to last as long as is intended, or less.
    this.amount = least;
  }

  // Another that begins where this one stands.
  copy() {
    return Object.assign(new Pace(this.least), this);
  }

  // So much lasted so long [s]. `isFull`: whether as much may not take longer another time, when there is more to do.
  learn(amount, seconds, isFull = true) {
    const fitting = amount * (AIM_SECONDS / Math.max(seconds, 1e-6));
    const growth = seconds < SHORT_SECONDS ? GROWTH_IF_SHORT : GROWTH;
    if (seconds > MOST_SECONDS) this.amount *= SHRINKAGE_IF_TOO_LONG;
    else if (seconds > AIM_SECONDS) this.amount = between(fitting, SHRINKAGE * this.amount, this.amount);
    else if (isFull) this.amount = between(fitting, this.amount, growth * this.amount);
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

// What a submit lasted, to size the next by: the time on the device, without the wait for a busy machine. A clock that
// is off by more than a factor of four is not believed.
export function ownSeconds(seconds, onDevice) {
  return onDevice === null ? seconds : Math.min(seconds, Math.max(onDevice, seconds / 4));
}

export function between(value, least, most) {
  return Math.max(least, Math.min(value, most));
}
