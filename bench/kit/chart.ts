import { formatFigure } from '../format.js';

/** Horizontal bars in groups, as an SVG that reads on light and on dark ground and needs no font of its own. */

export interface Chart {
  title: string;
  /** What the figures are, such as `MB`. */
  unit: string;
  groups: BarGroup[];
}

export interface BarGroup {
  name: string;
  /** What stands below the name. */
  note: string;
  bars: Bar[];
}

export interface Bar {
  name: string;
  /** 0 or more. */
  value: number;
  /** `own` stands out, `limit` stands back. */
  role: 'own' | 'rival' | 'limit';
}

const COLUMNS = 2;
const COLUMN_WIDTH = 430;
const MARGIN = 12;
const NAME_WIDTH = 150;
const FIGURE_WIDTH = 76;
const BAR_HEIGHT = 12;
const BAR_GAP = 4;
const HEADING_HEIGHT = 40;
const GROUP_GAP = 14;
const TITLE_HEIGHT = 54;
/** Of medium lightness each, so that neither white nor black ground swallows them. */
const COLOURS = { own: '#1f8f6b', rival: '#8a8f98', limit: '#c08a2b', text: '#7a828c' };

/**
 * Two groups beside each other, each with a scale of its own: the longest of its bars is as long as there is room. Names
 * have to be short, since nobody knows here how wide a letter is drawn. The same chart gives the same text.
 */
export function barChart({ title, unit, groups }: Chart): string {
  const parts: string[] = [];
  let top = TITLE_HEIGHT;
  for (let first = 0; first < groups.length; first += COLUMNS) {
    const row = groups.slice(first, first + COLUMNS);
    parts.push(...row.flatMap((group, column) => groupAt(column * COLUMN_WIDTH + MARGIN, top, group, unit)));
    top += Math.max(...row.map(heightOf)) + GROUP_GAP;
  }
  const width = COLUMNS * COLUMN_WIDTH;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}" height="${top}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    text(MARGIN, 22, title, 'font-size="16" font-weight="bold"'),
    text(MARGIN, 39, 'each group to its own scale'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function heightOf({ bars }: BarGroup): number {
  return HEADING_HEIGHT + bars.length * (BAR_HEIGHT + BAR_GAP);
}

function groupAt(left: number, top: number, { name, note, bars }: BarGroup, unit: string): string[] {
  const room = COLUMN_WIDTH - 2 * MARGIN - NAME_WIDTH - FIGURE_WIDTH;
  const longest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const lines = bars.flatMap((bar, i) => {
    const y = top + HEADING_HEIGHT + i * (BAR_HEIGHT + BAR_GAP);
    const width = Math.max(1, Math.round((room * bar.value) / longest));
    const start = left + NAME_WIDTH;
    return [
      text(start - 8, y + 10, bar.name, 'text-anchor="end"'),
      `<rect x="${start}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2" fill="${COLOURS[bar.role]}"/>`,
      text(
        start + width + 6,
        y + 10,
        `${formatFigure(bar.value)} ${unit}`,
        bar.role === 'own' ? 'font-weight="bold"' : '',
      ),
    ];
  });
  return [text(left, top + 14, name, 'font-weight="bold"'), text(left, top + 30, note), ...lines];
}

function text(x: number, y: number, content: string, more = ''): string {
  const attributes = more === '' ? '' : ` ${more}`;
  return `<text x="${x}" y="${y}" fill="${COLOURS.text}"${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
