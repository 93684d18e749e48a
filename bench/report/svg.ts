import type { Plot } from '../scenario.ts';
import { pretty } from '../stats.ts';

const WIDTH = 760;
const LABEL_WIDTH = 230;
const VALUE_WIDTH = 90;
const BAR = 16;
const GAP = 8;
const TOP = 44;
const COLOURS: Readonly<Record<string, string>> = {
  static: '#8a94a6',
  upsync: '#0a7d5a',
  reload: '#c8553d',
  template: '#d99a2b',
};

/** Draws a plot that can be read on light and on dark pages alike. */
export function drawPlot({ title, unit, bars, logarithmic = false }: Plot): string {
  const height = TOP + bars.length * (BAR + GAP) + 12;
  const largest = Math.max(...bars.map(({ max }) => max), Number.MIN_VALUE);
  const smallest = Math.min(...bars.map(({ min }) => min).filter((value) => value > 0), largest);
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const x = (value: number): number => {
    if (value <= 0) return 0;
    if (!logarithmic) return (value / largest) * room;
    const floor = Math.log10(smallest / 2);
    return ((Math.log10(value) - floor) / (Math.log10(largest) - floor || 1)) * room;
  };
  const rows = bars.map(({ label, median, min, max }, at) => {
    const y = TOP + at * (BAR + GAP);
    const middle = y + BAR / 2;
    const colour = COLOURS[label.split(' ').at(-1) ?? ''] ?? '#4467c4';
    const start = LABEL_WIDTH;
    return [
      `<text x="${start - 8}" y="${middle + 4}" text-anchor="end">${escape(label)}</text>`,
      `<rect x="${start}" y="${y}" width="${x(median).toFixed(1)}" height="${BAR}" rx="2" fill="${colour}"/>`,
      `<line x1="${(start + x(min)).toFixed(1)}" x2="${(start + x(max)).toFixed(1)}" y1="${middle}" y2="${middle}" stroke="#222" stroke-width="1.5"/>`,
      `<text x="${(start + x(Math.max(median, max)) + 6).toFixed(1)}" y="${middle + 4}">${pretty(median)}</text>`,
    ].join('\n');
  });
  const scale = logarithmic ? ', logarithmic' : '';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img">
<title>${escape(title)}</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="12" y="22" font-size="14" font-weight="bold">${escape(title)}</text>
<text x="12" y="37" fill="#555">${escape(unit)}${scale}; the line runs from the smallest to the largest round</text>
${rows.join('\n')}
</svg>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
