import { InvalidArgumentError } from '../errors.js';

/** What the clocks on the wall say in a zone of the IANA time zone database, as the runtime's own copy has it. */
export class TimeZone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;

  /** Throws INVALID_ARGUMENT that names `argument` for a name that the database does not have. */
  constructor(argument: string, name: string) {
    this.name = name;
    this.#format = formatOf(argument, name);
  }

  /** The time on the wall, in milliseconds, counted as if that clock had shown 1970-01-01 00:00 at 0 and never changed. */
  wallMs(epochMs: number): number {
    const fields: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of this.#format.formatToParts(epochMs)) fields[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
    const withinSecond = epochMs - Math.floor(epochMs / 1000) * 1000;
    return Date.UTC(year, month - 1, day, hour, minute, second) + withinSecond;
  }

  /** How far the wall is ahead of UTC. */
  offsetMs(epochMs: number): number {
    return this.wallMs(epochMs) - epochMs;
  }

  /**
   * The first millisecond after `fromMs`, and not after `toMs`, at which the wall is put forward or back; undefined when
   * both ends have the same offset. Between the two at most one change is looked for: no zone has two in a few hours.
   */
  changeBetween(fromMs: number, toMs: number): number | undefined {
    const before = this.offsetMs(fromMs);
    if (this.offsetMs(toMs) === before) return undefined;
    let [low, high] = [fromMs, toMs];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetMs(middle) === before) low = middle;
      else high = middle;
    }
    return high;
  }
}

function formatOf(argument: string, name: string): Intl.DateTimeFormat {
  const expected = "the name of a time zone such as 'Europe/Berlin', 'America/New_York' or 'UTC'";
  // Some releases of Node take offsets such as +01:00 too, others do not.
  if (typeof name !== 'string' || !/^[A-Za-z]/.test(name)) throw new InvalidArgumentError(argument, name, expected);
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw new InvalidArgumentError(argument, name, expected);
  }
}
