/** What a client asked of a health check. Empty text and 0 mean "not given"; times are milliseconds. */
export interface CheckSpec {
  readonly id: string;
  readonly name: string;
  readonly notes: string;
  readonly status: string;
  readonly serviceId: string;
  readonly ttlMs: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly deregisterAfterMs: number;
  readonly http: string;
  readonly method: string;
  readonly body: string;
  readonly header: Readonly<Record<string, readonly string[]>>;
  readonly disableRedirects: boolean;
  readonly tcp: string;
  readonly successBeforePassing: number;
  readonly failuresBeforeWarning: number;
  readonly failuresBeforeCritical: number;
  /** A kind that is accepted but not run here. */
  readonly other: '' | 'script' | 'docker' | 'grpc' | 'udp' | 'h2ping' | 'os_service' | 'alias';
}

/** The kind of a check as Consul names it in `Type`. */
export function checkType(check: CheckSpec): string {
  if (check.other === 'grpc') return 'grpc';
  if (check.http) return 'http';
  if (check.ttlMs > 0) return 'ttl';
  return check.tcp ? 'tcp' : check.other;
}
