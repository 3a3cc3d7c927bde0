/** The tables of a Markdown page, for tests that hold them against the code. */

export interface Table {
  /** The nearest heading above, without its marks. */
  heading: string;
  /** Each row by the words of the table's head. */
  rows: Record<string, string>[];
}

export function tables(markdown: string): Table[] {
  const found: Table[] = [];
  let heading = '';
  let columns: string[] | undefined;
  for (const line of markdown.split('\n')) {
    heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
    if (!line.startsWith('|')) columns = undefined;
    else if (columns === undefined) {
      columns = cells(line);
      found.push({ heading, rows: [] });
    } else if (!/^[|\s:-]+$/.test(line)) {
      const values = cells(line);
      found.at(-1)?.rows.push(Object.fromEntries(columns.map((column, i) => [column, values[i] ?? ''])));
    }
  }
  return found;
}

function cells(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim());
}
