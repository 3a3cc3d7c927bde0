import { expect, test } from 'vitest';
import { type ScheduleRule, WeeklySchedule } from '../../src/channel/schedule.js';
import { parseScheduleRule } from '../../src/channel/schedule-text.js';
import { InvalidArgumentError } from '../../src/errors.js';

test.each<[string, ScheduleRule]>([
  [
    'mon-fri 08:00-18:00 5mbit',
    { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00', rate: '5mbit' },
  ],
  ['22:00-06:00 none', { from: '22:00', to: '06:00', rate: 'none' }],
  ['sat,sun 2.5MB', { days: ['sat', 'sun'], rate: '2.5mb' }],
  [
    '  Fri-Mon,Wed   9:30-24:00  20 mbit ',
    { days: ['fri', 'sat', 'sun', 'mon', 'wed'], from: '9:30', to: '24:00', rate: '20 mbit' },
  ],
  ['thu-thu,thu 100kbit', { days: ['thu'], rate: '100kbit' }],
  ['1gbit', { rate: '1gbit' }],
])('%s', (text, rule) => {
  expect(parseScheduleRule('--schedule', text)).toEqual(rule);
  expect(() => new WeeklySchedule('schedule', { timeZone: 'UTC', rules: [rule] })).not.toThrow();
});

test.each<[string, string]>([
  ['', 'days, times and a rate'],
  ['mon-fri 08:00-18:00', 'days, times and a rate'],
  ['mon-fri 8-18 5mbit', '"8-18 5mbit" is no rate'],
  ['monday 5mbit', 'in place of "monday"'],
  ['mon-fri- 5mbit', 'in place of "mon-fri-"'],
  ['mon,,tue 5mbit', 'in place of ""'],
  ['daily 5mbit', 'in place of "daily"'],
  ['mon 08:00-18:00 fast', '"fast" is no rate'],
  ['mon 1bit', '"1bit" is no rate'],
])('%j is refused', (text, message) => {
  expect(() => parseScheduleRule('--schedule', text)).toThrow(InvalidArgumentError);
  expect(() => parseScheduleRule('--schedule', text)).toThrow(`--schedule is ${JSON.stringify(text)}; expected`);
  expect(() => parseScheduleRule('--schedule', text)).toThrow(message);
});
