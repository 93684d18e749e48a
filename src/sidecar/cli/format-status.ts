import { formatServerLine } from '../../upstream/server-line.ts';
import type { DeliveryStatus } from '../../upsync/deliver.ts';
import type { UpstreamStatus } from '../../upsync/upstream-status.ts';

/** One upstream for people: its list, where it comes from, and what every worker runs. */
export function formatStatus(status: UpstreamStatus, now: number): string {
  const { name, servers, version, origin, index } = status;
  const lines = [
    `${name}: ${servers.length} ${servers.length === 1 ? 'server' : 'servers'}, version ${version}, from ${origin.kind} ${origin.source}`,
    ...servers.map((server) => `    ${formatServerLine(server)}`),
    `  registry   ${formatRegistry(status, now)}${index === undefined ? '' : `, index ${index}`}`,
    ...status.targets.map((target) => `  ${formatDelivery(target)}`),
  ];
  if (status.lastError)
    lines.push(`  ! ${status.lastError.code} ${ago(now - status.lastError.at)}: ${status.lastError.message}`);
  if (status.refused) lines.push(`  ! ${status.refused.code}: ${status.refused.reason}`);
  for (const { where, reason } of status.rejected) lines.push(`  ! ${where}: ${reason}`);
  for (const host of status.unresolved) lines.push(`  ! ${host} has no address`);
  return `${lines.join('\n')}\n`;
}

function formatRegistry({ lastSuccessAt, ageMs, source }: UpstreamStatus, now: number): string {
  if (lastSuccessAt === undefined) return `${source} has not answered yet`;
  if (ageMs > 0) return `${source} out of reach for ${seconds(ageMs)}`;
  return `${source} followed, last list ${ago(now - lastSuccessAt)}`;
}

function formatDelivery({ target, delivered, wanted, workers, error }: DeliveryStatus): string {
  const behind = delivered === wanted ? '' : `, ${wanted} wanted`;
  const versions = workers.map(({ pid, version }) => `${pid} runs ${version ?? 'another list'}`);
  const said = versions.length > 0 ? `: ${versions.join(', ')}` : '';
  return `${target} has ${delivered ?? 'no version yet'}${behind}${said}${error === undefined ? '' : ` (${error})`}`;
}

function ago(ms: number): string {
  return `${seconds(Math.max(ms, 0))} ago`;
}

function seconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
