/** One line of `upsync check`. */
export interface Finding {
  /** `bad` makes the command fail. */
  readonly verdict: 'good' | 'warning' | 'bad';
  readonly what: string;
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** One long name of an upstream must not push the rest of the table aside. */
const WIDEST = 32;
const SIGNS = { good: '✔', warning: '!', bad: '✘' } as const;

/** The findings as a table; remedies stand under their line. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.min(WIDEST, Math.max(...findings.map(({ what }) => what.length)));
  return findings
    .map(({ verdict, what, detail, remedy }) => {
      const [first = '', ...rest] = detail.split('\n');
      const indent = ' '.repeat(width + 4);
      const lines = [
        `${SIGNS[verdict]} ${what.padEnd(width)}  ${first}`,
        ...rest.map((line) => indent + line),
      ];
      if (remedy !== undefined) lines.push(`${indent}→ ${remedy}`);
      return `${lines.join('\n')}\n`;
    })
    .join('');
}
