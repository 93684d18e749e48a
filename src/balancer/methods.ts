/** The balancing methods, by nginx's words (`hash`/`hash consistent` take their key from the pick), then our own two. */
export const METHODS = [
  'round_robin',
  'least_conn',
  'ip_hash',
  'hash',
  'hash_consistent',
  'random',
  'random_two_least_conn',
  'ewma',
  'bounded_hash',
] as const;

export type Method = (typeof METHODS)[number];
