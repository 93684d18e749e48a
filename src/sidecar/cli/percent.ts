/** A part of one for people: `70 %`, `33.3 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1).replace(/\.0$/, '')} %`;
}
