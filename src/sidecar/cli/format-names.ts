import { formatStatus } from '../../motan/schedule/schedule.ts';
import type { NamesStatus, NameStatus } from '../names/names-status.ts';
import { percent } from './percent.ts';

/** What is served from names, for people. */
export function formatNames({ idc, dns, configService, plans, names, watched }: NamesStatus): string {
  const lines = [
    `names, seen from IDC ${idc}: ${watched} watched`,
    ...(dns ? [`  dns ${dns.address} (${dns.suffix}), ${dns.queries} questions`] : []),
    ...(configService ? [`  config service ${configService.url}`] : []),
    ...(plans.length > 0
      ? formatStatus(plans)
          .split('\n')
          .map((line) => `  plan for ${line}`)
      : []),
    ...names.flatMap(formatName),
    ...(watched > names.length && names.length > 1 ? [`    and ${watched - names.length} more`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function formatName({ name, state, idcs, reasons }: NameStatus): readonly string[] {
  const parts = idcs.map(
    ({ idc, share, healthy, servers }) => `${idc} ${percent(share)} (${healthy} of ${servers} healthy)`,
  );
  return [
    `    ${name} ${state}: ${parts.join(', ')}`,
    ...reasons.map(({ idc, code, text }) => `      ! ${code} (${idc}): ${text}`),
  ];
}
