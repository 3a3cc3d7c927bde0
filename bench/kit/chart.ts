/** Horizontal bars in groups, as an SVG that reads on light and on dark ground and needs no font of its own. */

export interface Chart {
  title: string;
  /** What the figures are, such as `MB`. */
  unit: string;
  groups: BarGroup[];
}

export interface BarGroup {
  name: string;
  /** What stands beside the name in small. */
  note?: string;
  bars: Bar[];
}

export interface Bar {
  name: string;
  /** 0 or more. */
  value: number;
  /** `own` stands out, `limit` stands back. */
  role: 'own' | 'rival' | 'limit';
}

const WIDTH = 860;
const MARGIN = 16;
const NAME_WIDTH = 300;
const FIGURE_WIDTH = 90;
const BAR_HEIGHT = 14;
const BAR_GAP = 4;
const GROUP_HEADING = 24;
const GROUP_GAP = 14;
const TITLE_HEIGHT = 58;
/** Of medium lightness each, so that neither white nor black ground swallows them. */
const COLOURS = { own: '#1f8f6b', rival: '#8a8f98', limit: '#c08a2b', text: '#7a828c' };

/** Each group has a scale of its own: the longest of its bars is as long as there is room. The same chart, the same text. */
export function barChart({ title, unit, groups }: Chart): string {
  const parts: string[] = [];
  let top = TITLE_HEIGHT;
  for (const group of groups) {
    parts.push(...groupAt(top, group, unit));
    top += heightOf(group) + GROUP_GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    text(MARGIN, 24, title, 'font-size="16" font-weight="bold"'),
    text(MARGIN, 42, 'each group to its own scale'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function heightOf({ bars }: BarGroup): number {
  return GROUP_HEADING + bars.length * (BAR_HEIGHT + BAR_GAP);
}

function groupAt(top: number, { name, note, bars }: BarGroup, unit: string): string[] {
  const room = WIDTH - 2 * MARGIN - NAME_WIDTH - FIGURE_WIDTH;
  const longest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const small = note === undefined ? '' : `<tspan font-weight="normal">  ${escaped(note)}</tspan>`;
  const heading = `<text x="${MARGIN}" y="${top + 15}" fill="${COLOURS.text}" font-weight="bold">${escaped(name)}${small}</text>`;
  const lines = bars.flatMap((bar, i) => {
    const y = top + GROUP_HEADING + i * (BAR_HEIGHT + BAR_GAP);
    const width = Math.max(1, Math.round((room * bar.value) / longest));
    const left = MARGIN + NAME_WIDTH;
    return [
      text(left - 8, y + 11, bar.name, 'text-anchor="end"'),
      `<rect x="${left}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2" fill="${COLOURS[bar.role]}"/>`,
      text(left + width + 6, y + 11, `${figure(bar.value)} ${unit}`, bar.role === 'own' ? 'font-weight="bold"' : ''),
    ];
  });
  return [heading, ...lines];
}

function text(x: number, y: number, content: string, more = ''): string {
  const attributes = more === '' ? '' : ` ${more}`;
  return `<text x="${x}" y="${y}" fill="${COLOURS.text}"${attributes}>${escaped(content)}</text>`;
}

function figure(value: number): string {
  if (value >= 100 || value === 0) return String(Math.round(value));
  return value < 0.001 ? value.toFixed(4) : value.toPrecision(3);
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
