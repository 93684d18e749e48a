import { errorText } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import { masterPid } from '../upsync/targets/nginx-reload.ts';

/** Sends HUP to the nginx of a pid file, and logs whether that was possible. Never throws. */
export async function reloadNginx(pidPath: string | undefined, logger: Logger): Promise<void> {
  if (pidPath === undefined) {
    logger.warn({ next: 'reload nginx, or name its pid file as nginx.pid' }, 'nginx_not_reloaded');
    return;
  }
  const pid = await masterPid({ nginxBinary: '', configPath: '', pidPath });
  try {
    if (pid === undefined) logger.warn({ pidPath, next: 'its next start reads it' }, 'nginx_not_running');
    else {
      process.kill(pid, 'SIGHUP');
      logger.info({ nginx: pid }, 'nginx_reloaded');
    }
  } catch (error) {
    logger.error({ nginx: pid, error: errorText(error), next: 'reload nginx by hand' }, 'nginx_not_reloaded');
  }
}
