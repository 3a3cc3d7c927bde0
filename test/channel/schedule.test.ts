import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DAYS, type Day, type Schedule, type ScheduleRule, WeeklySchedule } from '../../src/channel/schedule.js';
import { InvalidArgumentError } from '../../src/errors.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const weekly = (timeZone: string, ...rules: ScheduleRule[]): WeeklySchedule =>
  new WeeklySchedule('schedule', { timeZone, rules });
const at = (text: string): number => Date.parse(text);

/** The changes in a stretch of time, as `time rate`, the way a sender comes to know them: one after the other. */
function changes(schedule: WeeklySchedule, from: string, to: string): string[] {
  const found: string[] = [];
  for (let time = schedule.nextChange(at(from)); time !== undefined && time < at(to); ) {
    found.push(`${new Date(time).toISOString().slice(0, 16)}Z ${schedule.rateAt(time) ?? '-'}`);
    time = schedule.nextChange(time);
  }
  return found;
}

describe('a week', () => {
  test('has its rates by day and time, and nothing where no rule holds', () => {
    const office = weekly('UTC', { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00', rate: 5000 });
    expect(changes(office, '2026-01-02T12:00Z', '2026-01-06T12:00Z')).toEqual([
      '2026-01-02T18:00Z -',
      '2026-01-05T08:00Z 5000',
      '2026-01-05T18:00Z -',
      '2026-01-06T08:00Z 5000',
    ]);
    expect(office.rateAt(at('2026-01-05T08:00Z') - 1)).toBeUndefined();
    expect(office.rateAt(at('2026-01-05T18:00Z') - 1)).toBe(5000);
  });

  test('a night belongs to the day on which it begins, over the end of the week too', () => {
    const night = weekly('UTC', { days: ['sun', 'fri'], from: '22:00', to: '06:00', rate: 'none' });
    expect(changes(night, '2026-01-01T00:00Z', '2026-01-08T00:00Z')).toEqual([
      '2026-01-02T22:00Z Infinity',
      '2026-01-03T06:00Z -',
      '2026-01-04T22:00Z Infinity',
      '2026-01-05T06:00Z -',
    ]);
  });

  test('the first rule that holds counts', () => {
    const schedule = weekly(
      'UTC',
      { days: ['sat'], from: '12:00', to: '13:00', rate: '16kbit' },
      { days: ['sat', 'sun'], rate: '32kbit' },
      { from: '11:00', to: '14:00', rate: '64kbit' },
    );
    expect(changes(schedule, '2026-01-02T20:00Z', '2026-01-05T12:00Z')).toEqual([
      '2026-01-03T00:00Z 4000',
      '2026-01-03T12:00Z 2000',
      '2026-01-03T13:00Z 4000',
      '2026-01-05T00:00Z -',
      '2026-01-05T11:00Z 8000',
    ]);
  });

  test('29 February is a day like any other', () => {
    const leap = weekly('Europe/Berlin', { days: ['thu'], from: '23:00', to: '01:00', rate: 1000 });
    expect(changes(leap, '2024-02-28T23:30Z', '2024-03-01T12:00Z')).toEqual([
      '2024-02-29T22:00Z 1000',
      '2024-03-01T00:00Z -',
    ]);
  });

  test('a rate that always holds never changes, however it is put together', () => {
    const halves = weekly('UTC', { to: '12:00', rate: 1000 }, { from: '12:00', rate: 1000 });
    expect(halves.nextChange(at('2026-01-01T00:00Z'))).toBeUndefined();
    expect(halves.rateAt(at('2026-01-01T12:00Z'))).toBe(1000);
  });

  test('the highest rate tells what may come', () => {
    expect(weekly('UTC', { rate: 1000, to: '12:00' }).highestBytesPerSecond).toBe(1000);
    expect(weekly('UTC', { rate: 1000, to: '12:00' }, { rate: 'none' }).highestBytesPerSecond).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});

describe('daylight saving', () => {
  const rule = (from: string, to: string): ScheduleRule => ({ from, to, rate: 1000 });
  test.each<[string, string, ScheduleRule, string, string, string[]]>([
    // 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC. 25 October: 03:00 becomes 02:00 at 01:00 UTC.
    [
      'the same wall time in winter and summer',
      'Europe/Berlin',
      rule('08:00', '18:00'),
      '2026-03-28T12:00Z',
      '2026-03-29T20:00Z',
      ['2026-03-28T17:00Z -', '2026-03-29T06:00Z 1000', '2026-03-29T16:00Z -'],
    ],
    [
      'a time that is skipped',
      'Europe/Berlin',
      rule('02:00', '03:00'),
      '2026-03-27T12:00Z',
      '2026-03-30T12:00Z',
      ['2026-03-28T01:00Z 1000', '2026-03-28T02:00Z -', '2026-03-30T00:00Z 1000', '2026-03-30T01:00Z -'],
    ],
    [
      'a beginning that is skipped',
      'Europe/Berlin',
      rule('02:30', '04:00'),
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      ['2026-03-29T01:00Z 1000', '2026-03-29T02:00Z -'],
    ],
    [
      'an end that is skipped',
      'Europe/Berlin',
      rule('01:00', '02:30'),
      '2026-03-28T12:00Z',
      '2026-03-29T12:00Z',
      ['2026-03-29T00:00Z 1000', '2026-03-29T01:00Z -'],
    ],
    [
      'a time that comes twice',
      'Europe/Berlin',
      rule('02:15', '02:45'),
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['2026-10-25T00:15Z 1000', '2026-10-25T00:45Z -', '2026-10-25T01:15Z 1000', '2026-10-25T01:45Z -'],
    ],
    [
      'a beginning that comes twice',
      'Europe/Berlin',
      rule('02:30', '04:00'),
      '2026-10-24T12:00Z',
      '2026-10-25T12:00Z',
      ['2026-10-25T00:30Z 1000', '2026-10-25T01:00Z -', '2026-10-25T01:30Z 1000', '2026-10-25T03:00Z -'],
    ],
    [
      'a whole day of 25 hours',
      'Europe/Berlin',
      { days: ['sun'], rate: 1000 },
      '2026-10-24T12:00Z',
      '2026-10-26T12:00Z',
      ['2026-10-24T22:00Z 1000', '2026-10-25T23:00Z -'],
    ],
    // 8 March 2026: 02:00 becomes 03:00 at 07:00 UTC. 1 November: 02:00 becomes 01:00 at 06:00 UTC.
    [
      'forward in New York',
      'America/New_York',
      rule('01:30', '02:30'),
      '2026-03-07T12:00Z',
      '2026-03-08T12:00Z',
      ['2026-03-08T06:30Z 1000', '2026-03-08T07:00Z -'],
    ],
    [
      'back in New York',
      'America/New_York',
      rule('01:30', '02:30'),
      '2026-10-31T12:00Z',
      '2026-11-01T12:00Z',
      ['2026-11-01T05:30Z 1000', '2026-11-01T06:00Z -', '2026-11-01T06:30Z 1000', '2026-11-01T07:30Z -'],
    ],
    // 4 October 2026: 02:00 becomes 02:30 at 15:30 UTC the day before. 5 April: 02:00 becomes 01:30 at 15:00 UTC.
    [
      'half an hour forward on Lord Howe',
      'Australia/Lord_Howe',
      rule('02:15', '02:45'),
      '2026-10-03T12:00Z',
      '2026-10-04T12:00Z',
      ['2026-10-03T15:30Z 1000', '2026-10-03T15:45Z -'],
    ],
    [
      'half an hour back on Lord Howe',
      'Australia/Lord_Howe',
      rule('01:45', '02:15'),
      '2026-04-04T12:00Z',
      '2026-04-05T12:00Z',
      ['2026-04-04T14:45Z 1000', '2026-04-04T15:00Z -', '2026-04-04T15:15Z 1000', '2026-04-04T15:45Z -'],
    ],
    [
      'none in a zone of 45 minutes',
      'Asia/Kathmandu',
      rule('00:00', '12:00'),
      '2026-03-28T12:00Z',
      '2026-03-30T00:00Z',
      ['2026-03-28T18:15Z 1000', '2026-03-29T06:15Z -', '2026-03-29T18:15Z 1000'],
    ],
    // On 30 December 2011 there was no day in Samoa: the 29th was followed by the 31st at 10:00 UTC.
    [
      'a day that was left out',
      'Pacific/Apia',
      { days: ['fri'], rate: 1000 },
      '2011-12-28T00:00Z',
      '2012-01-08T00:00Z',
      ['2012-01-05T10:00Z 1000', '2012-01-06T10:00Z -'],
    ],
  ])('%s', (_, zone, one, from, to, expected) => {
    expect(changes(weekly(zone, one), from, to)).toEqual(expected);
  });
});

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'America/St_Johns'];
const time = fc.record({ hour: fc.nat(23), quarter: fc.nat(3) });
const text = ({ hour, quarter }: { hour: number; quarter: number }): string =>
  `${String(hour).padStart(2, '0')}:${String(quarter * 15).padStart(2, '0')}`;
const anyRule = fc
  .record({
    days: fc.subarray([...DAYS], { minLength: 1 }),
    from: time,
    to: time,
    rate: fc.integer({ min: 1, max: 3 }),
  })
  .filter(({ from, to }) => text(from) !== text(to))
  .map(({ days, from, to, rate }) => ({ days, from: text(from), to: text(to), rate: rate * 1000 }));
const anySchedule = fc.record({
  timeZone: fc.constantFrom(...ZONES),
  rules: fc.array(anyRule, { minLength: 1, maxLength: 5 }),
});
/** Most of them around a change of daylight saving. */
const anyStart = fc
  .record({
    around: fc.constantFrom(
      '2026-03-08',
      '2026-03-29',
      '2026-04-05',
      '2026-10-04',
      '2026-10-25',
      '2026-11-01',
      '2028-02-29',
    ),
    minutes: fc.integer({ min: -2880, max: 1440 }),
    ms: fc.nat(59_999),
  })
  .map(({ around, minutes, ms }) => at(`${around}T00:00Z`) + minutes * MINUTE_MS + ms);

/** What holds at a minute, straight from the rules and from what the zone calls it. */
function ruleAt({ rules }: Schedule, epochMs: number, format: Intl.DateTimeFormat): number | undefined {
  const part = Object.fromEntries(format.formatToParts(epochMs).map(({ type, value }) => [type, value]));
  const day = part.weekday?.toLowerCase() as Day;
  const before = DAYS[(DAYS.indexOf(day) + 6) % 7] as Day;
  const now = `${part.hour}:${part.minute}`;
  const holds = ({ days = [], from = '', to = '' }: ScheduleRule): boolean =>
    from < to
      ? days.includes(day) && from <= now && now < to
      : (days.includes(day) && from <= now) || (days.includes(before) && now < to);
  return rules.find(holds)?.rate as number | undefined;
}

test('every minute of three days is as the rules say, and every change is where the minutes differ', () => {
  fc.assert(
    fc.property(anySchedule, anyStart, (schedule, start) => {
      const format = new Intl.DateTimeFormat('en-GB', {
        timeZone: schedule.timeZone,
        weekday: 'short',
        hour: '2-digit',
        minute: '2-digit',
        hourCycle: 'h23',
      });
      expect(schedule.timeZone).toBe(format.resolvedOptions().timeZone.replace('Asia/Calcutta', 'Asia/Kolkata'));
      const compiled = new WeeklySchedule('schedule', schedule);
      const firstMinute = Math.ceil(start / MINUTE_MS) * MINUTE_MS;
      let rate = ruleAt(schedule, start, format);
      let next = compiled.nextChange(start);
      expect(compiled.rateAt(start)).toBe(rate);
      for (let minute = firstMinute; minute < firstMinute + 72 * HOUR_MS; minute += MINUTE_MS) {
        const now = ruleAt(schedule, minute, format);
        const changes = now !== rate && minute > start;
        if ((next === minute) !== changes) expect.fail(`${new Date(minute).toISOString()}, next ${next}: ${changes}`);
        if (now === rate) continue;
        expect(compiled.rateAt(minute)).toBe(now);
        rate = now;
        next = compiled.nextChange(minute);
      }
    }),
    { numRuns: 40 },
  );
}, 60_000);

describe('what cannot be a schedule is refused by the name of the field', () => {
  const rules = [{ rate: 1000 }];
  test.each<[string, unknown]>([
    ['schedule', undefined],
    ['schedule', 'mon-fri 5mbit'],
    ['schedule.zone', { zone: 'UTC', rules }],
    ['schedule.timeZone', { rules }],
    ['schedule.timeZone', { timeZone: 'Europe/Berlinn', rules }],
    ['schedule.timeZone', { timeZone: '+01:00', rules }],
    ['schedule.rules', { timeZone: 'UTC' }],
    ['schedule.rules', { timeZone: 'UTC', rules: [] }],
    ['schedule.rules', { timeZone: 'UTC', rules: Array(101).fill({ rate: 1000 }) }],
    ['schedule.rules[1]', { timeZone: 'UTC', rules: [{ rate: 1000 }, 'sat 5mbit'] }],
    ['schedule.rules[0].day', { timeZone: 'UTC', rules: [{ day: ['mon'], rate: 1000 }] }],
    ['schedule.rules[0].days', { timeZone: 'UTC', rules: [{ days: [], rate: 1000 }] }],
    ['schedule.rules[0].days', { timeZone: 'UTC', rules: [{ days: 'mon', rate: 1000 }] }],
    ['schedule.rules[0].days[1]', { timeZone: 'UTC', rules: [{ days: ['mon', 'tues'], rate: 1000 }] }],
    ['schedule.rules[0].days[0]', { timeZone: 'UTC', rules: [{ days: [undefined], rate: 1000 }] }],
    ['schedule.rules[0].from', { timeZone: 'UTC', rules: [{ from: '8', rate: 1000 }] }],
    ['schedule.rules[0].from', { timeZone: 'UTC', rules: [{ from: '08:60', rate: 1000 }] }],
    ['schedule.rules[0].from', { timeZone: 'UTC', rules: [{ from: '24:00', rate: 1000 }] }],
    ['schedule.rules[0].from', { timeZone: 'UTC', rules: [{ from: 8, rate: 1000 }] }],
    ['schedule.rules[0].to', { timeZone: 'UTC', rules: [{ to: '24:01', rate: 1000 }] }],
    ['schedule.rules[0].to', { timeZone: 'UTC', rules: [{ from: '08:00', to: '08:00', rate: 1000 }] }],
    ['schedule.rules[0].rate', { timeZone: 'UTC', rules: [{ from: '08:00' }] }],
    ['schedule.rules[0].rate', { timeZone: 'UTC', rules: [{ rate: 0 }] }],
    ['schedule.rules[0].rate', { timeZone: 'UTC', rules: [{ rate: 'pause' }] }],
  ])('%s', (argument, schedule) => {
    expect(() => new WeeklySchedule('schedule', schedule as Schedule)).toThrow(InvalidArgumentError);
    expect(() => new WeeklySchedule('schedule', schedule as Schedule)).toThrow(
      expect.objectContaining({ argument }) as Error,
    );
  });
});
