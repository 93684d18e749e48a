import { InvalidArgumentError } from 'commander';
import { errorText } from '../../upstream/errors.ts';

/**
 * Has the value of an option or argument tried while the command line is read: what is wrong with it is then a mistake of
 * the command line, told with the option's name, and ends with 2. The value stays the text it is.
 * @param check throws an error with one sentence when the value cannot be used.
 */
export function checked(check: (text: string) => unknown): (text: string) => string {
  return (text) => {
    try {
      check(text);
    } catch (error) {
      throw new InvalidArgumentError(errorText(error));
    }
    return text;
  };
}

/** A base URL of a registry. @throws {RangeError} */
export function checkRegistryUrl(text: string): void {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new RangeError('A registry is named by its URL, such as http://127.0.0.1:8500');
}
