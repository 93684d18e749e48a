export function findConsul(): string | undefined;
export function buildConsul(log?: (line: string) => void): Promise<string>;
