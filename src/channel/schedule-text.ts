import { InvalidArgumentError } from '../errors.js';
import { parseRate } from '../options.js';
import { DAYS, type Day, type ScheduleRule } from './schedule.js';

const EXPECTED = "days, times and a rate, such as 'mon-fri 08:00-18:00 5mbit', '22:00-06:00 none' or 'sat,sun 20mbit'";

/**
 * A rule of a schedule from text: days (`mon`, `mon-fri`, `sat,sun`; all when left out), a time (`08:00-18:00`; the whole
 * day when left out) and a rate, which may be `none`. Throws INVALID_ARGUMENT that names `name` and what is wrong.
 */
export function parseScheduleRule(name: string, text: string): ScheduleRule {
  const words = text.trim().toLowerCase().split(/\s+/);
  const first = words[0] ?? '';
  const days = /^[a-z]{3,}([-,]|$)/.test(first) && words.length > 1 ? daysOf(name, text, first) : undefined;
  const [from, to] = timesOf(words[days === undefined ? 0 : 1] ?? '');
  const rate = words.slice((days === undefined ? 0 : 1) + (from === undefined ? 0 : 1)).join(' ');
  if (rate === '') throw new InvalidArgumentError(name, text, EXPECTED);
  if (rate !== 'none') checkRate(name, text, rate);
  return {
    ...(days === undefined ? {} : { days }),
    ...(from === undefined || to === undefined ? {} : { from, to }),
    rate,
  };
}

function daysOf(name: string, text: string, list: string): Day[] {
  return [...new Set(list.split(',').flatMap((part) => rangeOf(name, text, part)))];
}

/** `mon-fri`, and over the end of the week `fri-mon`. */
function rangeOf(name: string, text: string, part: string): Day[] {
  const [first = -1, last = first, ...more] = part.split('-').map((day) => DAYS.indexOf(day as Day));
  if (first < 0 || last < 0 || more.length > 0) {
    throw new InvalidArgumentError(name, text, `days of ${DAYS.join(', ')} in place of ${JSON.stringify(part)}`);
  }
  const count = ((last - first + DAYS.length) % DAYS.length) + 1;
  return Array.from({ length: count }, (_, index) => DAYS[(first + index) % DAYS.length] as Day);
}

function timesOf(word: string): string[] {
  return /^\d\d?:\d\d-\d\d?:\d\d$/.test(word) ? word.split('-') : [];
}

function checkRate(name: string, text: string, rate: string): void {
  try {
    parseRate(name, rate);
  } catch (cause) {
    if (!(cause instanceof InvalidArgumentError)) throw cause;
    throw new InvalidArgumentError(name, text, `${EXPECTED}; ${JSON.stringify(rate)} is no rate`);
  }
}
