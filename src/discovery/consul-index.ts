const MAX_UINT64 = 2n ** 64n - 1n;

/**
 * Reads `X-Consul-Index`. It is a uint64, so it stays a bigint; 0 counts as 1, because an index of 0 would not block.
 * Undefined when the header is absent or no such number. Source: Consul, "Blocking Queries".
 */
export function parseConsulIndex(header: string | undefined): bigint | undefined {
  if (header === undefined || !/^\d{1,20}$/.test(header)) return undefined;
  const index = BigInt(header);
  if (index > MAX_UINT64) return undefined;
  return index === 0n ? 1n : index;
}

/** How long Consul may hold a poll, and how long we wait for it. */
export interface PollTimes {
  readonly waitMs: number;
  readonly deadlineMs: number;
}

const MAX_WAIT_MS = 600_000;

/**
 * Divides the time one poll may take: Consul adds up to a sixteenth of `wait` by chance, and the answer needs time to
 * travel, so `wait` stays well below the deadline, and never above the ten minutes Consul allows.
 */
export function pollTimes(timeoutMs: number): PollTimes {
  const marginMs = Math.min(5_000, Math.ceil(timeoutMs / 4));
  const waitMs = Math.max(1, Math.min(MAX_WAIT_MS, Math.floor(((timeoutMs - marginMs) * 16) / 17)));
  return { waitMs, deadlineMs: Math.min(timeoutMs, Math.ceil((waitMs * 17) / 16) + marginMs) };
}
