import { InvalidArgumentError } from '../errors.js';
import { choiceOption, parseRate } from '../options.js';
import { TimeZone } from './time-zone.js';

/** Which rate holds at which time of the week. */
export interface Schedule {
  /** A zone of the IANA time zone database, such as `Europe/Berlin`; its changes to and from daylight saving are kept. */
  timeZone: string;
  /** 1 to 100; of those that hold at a time the first one counts, and where none does the `rate` beside the schedule. */
  rules: ScheduleRule[];
}

/** A rate for a time of day, on some days of the week. */
export interface ScheduleRule {
  /** The days on which the time begins (default all seven). */
  days?: Day[];
  /** `HH:MM`, from `00:00` (the default) to `23:59`. */
  from?: string;
  /**
   * `HH:MM`, not included, up to `24:00` (the default). Before `from` it is a time of the next day, and the night between
   * the two belongs to the day on which it begins.
   */
  to?: string;
  /** Bytes per second, text such as `5mbit`, or `none` for no limit. */
  rate: number | string;
}

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Day = (typeof DAYS)[number];

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
/** 1970-01-01 was a Thursday; weeks are counted from Monday. */
const EPOCH_DAY = 3;
export const RULES_MAX = 100;
/** No zone changes its offset twice in this time. */
const STEP_MS = 6 * 60 * MINUTE_MS;
/** Whatever a week holds has come by then, even where a day was left out of the calendar. */
const HORIZON_MS = 15 * DAY_MINUTES * MINUTE_MS;

/** From a minute of the week on a rate holds, or the one beside the schedule. */
interface Stretch {
  fromMinute: number;
  rateBytesPerSecond: number | undefined;
}

interface Span {
  fromMinute: number;
  /** Not included; beyond the end of the week it is a time at its beginning. */
  toMinute: number;
  rateBytesPerSecond: number;
}

/**
 * A schedule as a table of one week.
 *
 * Only what the clock on the wall shows decides. When it is put forward, a time that it skips does not come on that
 * day; when it is put back, a time that it shows twice holds twice.
 */
export class WeeklySchedule {
  readonly #zone: TimeZone;
  /** In order, the first one at minute 0. */
  readonly #stretches: Stretch[];

  /** Throws INVALID_ARGUMENT with the field, such as `schedule.rules[1].from`. */
  constructor(name: string, schedule: Schedule) {
    checkFields(name, schedule, ['timeZone', 'rules'], 'an object { timeZone, rules }');
    const { rules } = schedule;
    if (!Array.isArray(rules) || rules.length < 1 || rules.length > RULES_MAX) {
      throw new InvalidArgumentError(`${name}.rules`, rules, `an array of 1 to ${RULES_MAX} rules`);
    }
    this.#zone = new TimeZone(`${name}.timeZone`, schedule.timeZone);
    this.#stretches = stretchesOf(rules.flatMap((rule, index) => spansOf(`${name}.rules[${index}]`, rule)));
  }

  /** The highest rate that it ever sets, Infinity for `none`. */
  get highestBytesPerSecond(): number {
    return Math.max(...this.#stretches.map(({ rateBytesPerSecond = 0 }) => rateBytesPerSecond));
  }

  /** Infinity: no limit. Undefined: the rate beside the schedule. */
  rateAt(epochMs: number): number | undefined {
    const minute = minuteOfWeek(this.#zone.wallMs(epochMs));
    return this.#stretches.findLast(({ fromMinute }) => fromMinute <= minute)?.rateBytesPerSecond;
  }

  /** The first millisecond after `epochMs` at which another rate holds; undefined when there is none within 15 days. */
  nextChange(epochMs: number): number | undefined {
    const now = this.rateAt(epochMs);
    for (let at = epochMs; at < epochMs + HORIZON_MS; ) {
      const next = Math.min(this.#nextStretchMs(at), at + STEP_MS);
      at = this.#zone.changeBetween(at, next) ?? next;
      if (this.rateAt(at) !== now) return at;
    }
    return undefined;
  }

  /** When the next stretch begins as long as the clock is not put forward or back. */
  #nextStretchMs(epochMs: number): number {
    const minute = minuteOfWeek(this.#zone.wallMs(epochMs));
    const next = this.#stretches.find(({ fromMinute }) => fromMinute > minute)?.fromMinute ?? WEEK_MINUTES;
    return Math.round(epochMs + (next - minute) * MINUTE_MS);
  }
}

/** From Monday 00:00 on, with a fraction. */
function minuteOfWeek(wallMs: number): number {
  const minutes = wallMs / MINUTE_MS + EPOCH_DAY * DAY_MINUTES;
  return minutes - Math.floor(minutes / WEEK_MINUTES) * WEEK_MINUTES;
}

function stretchesOf(spans: readonly Span[]): Stretch[] {
  const edges = spans.flatMap(({ fromMinute, toMinute }) => [fromMinute, toMinute % WEEK_MINUTES]);
  const minutes = [...new Set([0, ...edges])].sort((a, b) => a - b);
  return minutes.map((fromMinute) => {
    const rule = spans.find((span) => covers(span, fromMinute) || covers(span, fromMinute + WEEK_MINUTES));
    return { fromMinute, rateBytesPerSecond: rule?.rateBytesPerSecond };
  });
}

const covers = ({ fromMinute, toMinute }: Span, minute: number): boolean => fromMinute <= minute && minute < toMinute;

function spansOf(name: string, rule: ScheduleRule): Span[] {
  checkFields(name, rule, ['days', 'from', 'to', 'rate'], 'an object { days, from, to, rate }');
  const from = minuteOfDay(`${name}.from`, rule.from ?? '00:00');
  const to = minuteOfDay(`${name}.to`, rule.to ?? '24:00');
  if (from === DAY_MINUTES) throw new InvalidArgumentError(`${name}.from`, rule.from, 'a time before 24:00');
  if (from === to) {
    throw new InvalidArgumentError(`${name}.to`, rule.to, 'another time than from; a whole day is 00:00 to 24:00');
  }
  const rateBytesPerSecond = ruleRate(`${name}.rate`, rule.rate);
  const minutes = to > from ? to - from : to - from + DAY_MINUTES;
  return daysOf(`${name}.days`, rule.days).map((day) => {
    const fromMinute = DAYS.indexOf(day) * DAY_MINUTES + from;
    return { fromMinute, toMinute: fromMinute + minutes, rateBytesPerSecond };
  });
}

function daysOf(name: string, days: readonly Day[] = DAYS): readonly Day[] {
  if (!Array.isArray(days) || days.length === 0) {
    throw new InvalidArgumentError(name, days, `an array of some of ${DAYS.join(', ')}`);
  }
  return days.map((day: Day | undefined, index) => choiceOption(`${name}[${index}]`, day ?? '', DAYS, 'mon'));
}

function minuteOfDay(name: string, text: string): number {
  const match = typeof text === 'string' ? /^(\d\d?):(\d\d)$/.exec(text) : null;
  const minutes = Number(match?.[1]) * 60 + Number(match?.[2]);
  if (match === null || Number(match[2]) > 59 || minutes > DAY_MINUTES) {
    throw new InvalidArgumentError(name, text, "a time of day from '00:00' to '24:00'");
  }
  return minutes;
}

function ruleRate(name: string, rate: number | string): number {
  if (rate === 'none') return Number.POSITIVE_INFINITY;
  if (typeof rate !== 'number' && typeof rate !== 'string') {
    throw new InvalidArgumentError(name, rate, 'a rate such as 5mbit, or none for no limit');
  }
  return parseRate(name, rate);
}

/** A field that is written wrongly must not leave a rule that holds always. */
function checkFields(name: string, value: unknown, known: readonly string[], expected: string): void {
  if (typeof value !== 'object' || value === null) throw new InvalidArgumentError(name, value, expected);
  const stranger = Object.keys(value).find((key) => !known.includes(key));
  if (stranger === undefined) return;
  throw new InvalidArgumentError(`${name}.${stranger}`, (value as Record<string, unknown>)[stranger], expected);
}
