import { UpsyncError } from '../../upstream/errors.ts';
import { isIdcLabel } from '../name.ts';

/** Room that names need in front of the suffix, of the 253 characters DNS has. */
const MAX_SUFFIX = 100;

/**
 * The domain below which names are answered, in lower case and without dots at its ends.
 * @throws {UpsyncError} BAD_SUFFIX unless it is one or more DNS labels, the last of them no number.
 */
export function checkedSuffix(text: string): string {
  const suffix = text.toLowerCase().replace(/^\.|\.$/g, '');
  const labels = suffix.split('.');
  if (suffix.length <= MAX_SUFFIX && labels.every(isIdcLabel) && !/^\d+$/.test(labels.at(-1)!)) return suffix;
  throw new UpsyncError(
    'BAD_SUFFIX',
    `${JSON.stringify(text.slice(0, 80))} is no domain for names: expected labels like idc.local, at most ${MAX_SUFFIX} characters`,
  );
}
