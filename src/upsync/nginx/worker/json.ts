/** Text in JSON's quotes. */
export function jsonText(text: string): string {
  const [escaped] = string.gsub(text, '[%c"\\\\]', (char: string) =>
    char === '"' || char === '\\' ? `\\${char}` : string.format('\\u%04x', string.byte(char)),
  );
  return `"${escaped}"`;
}

/** A whole number, never in exponent form. */
export function jsonNumber(value: number): string {
  return string.format('%d', value);
}

/** `{"a":…,"b":…}` of members that are JSON already. */
export function jsonObject(members: readonly string[]): string {
  return `{${table.concat(members as string[], ',')}}`;
}

/** `"name":value`, where the value is JSON already. */
export function jsonMember(name: string, value: string): string {
  return `${jsonText(name)}:${value}`;
}
