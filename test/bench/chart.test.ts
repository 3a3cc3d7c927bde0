import { expect, test } from 'vitest';
import { barChart, type Chart } from '../../bench/kit/chart.js';

const chart: Chart = {
  title: 'Sent & counted',
  unit: 'MB',
  groups: [
    {
      name: 'a <change>',
      note: '10 MB of source',
      bars: [
        { name: 'ours', value: 0.25, role: 'own' },
        { name: 'theirs', value: 1, role: 'rival' },
        { name: 'the limit', value: 0, role: 'limit' },
      ],
    },
    { name: 'another', note: 'of one bar', bars: [{ name: 'ours', value: 123.4, role: 'own' }] },
  ],
};

const numbersOf = (svg: string, element: string, attribute: string): number[] =>
  [...svg.matchAll(new RegExp(`<${element} [^>]*?\\b${attribute}="(\\d+)"`, 'g'))].map(([, digits]) => Number(digits));

test('bars are as long as their figures say, each group to its own scale', () => {
  const [ours = 0, theirs = 0, limit = 0, alone = 0] = numbersOf(barChart(chart), 'rect', 'width');
  expect(ours / theirs).toBeCloseTo(0.25, 2);
  expect(limit).toBe(1);
  expect(alone).toBe(theirs);
});

test('everything lies within the picture', () => {
  const svg = barChart(chart);
  const [[width = 0], [height = 0]] = [numbersOf(svg, 'svg', 'width'), numbersOf(svg, 'svg', 'height')];
  for (const element of ['rect', 'text']) {
    expect(Math.max(...numbersOf(svg, element, 'y'))).toBeLessThan(height);
    expect(Math.max(...numbersOf(svg, element, 'x'))).toBeLessThan(width);
  }
});

test('names are escaped, and every figure is there with its unit', () => {
  const svg = barChart(chart);
  for (const part of [
    'Sent &amp; counted',
    'a &lt;change&gt;',
    '0.250 MB',
    '1 MB',
    '0 MB',
    '123 MB',
    '10 MB of source',
  ]) {
    expect(svg).toContain(part);
  }
});

test('the same figures make the same picture, which asks for nothing from elsewhere', () => {
  expect(barChart(chart)).toBe(barChart(structuredClone(chart)));
  expect(barChart(chart).replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\(|@import|font-face/);
});

/** Of WCAG: from 1, no difference, to 21, black on white. */
function contrast(a: string, b: string): number {
  const luminance = (colour: string): number => {
    const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
    const [red = 0, green = 0, blue = 0] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

test('every colour stands out from white and from the ground of a dark page', () => {
  const colours = new Set([...barChart(chart).matchAll(/fill="(#[0-9a-f]{6})"/g)].map(([, colour = '']) => colour));
  expect(colours.size).toBe(4);
  for (const colour of colours) {
    for (const ground of ['#ffffff', '#0d1117'])
      expect(contrast(colour, ground), `${colour} on ${ground}`).toBeGreaterThan(3);
  }
});
