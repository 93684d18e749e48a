import { expect, it, vi } from 'vitest';
import { returnMemoryLater } from '../../src/sidecar/return-memory.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';

it('lets go of what nobody holds any more, a while later, without a flag', async () => {
  const logger = recordingLogger();
  const held = new WeakRef({ large: new Array<number>(1000).fill(1) });
  returnMemoryLater(logger, 5);
  // Not the object itself: a failed expectation would hold it.
  await vi.waitFor(() => expect(held.deref() === undefined).toBe(true), 5000);
  expect(logger.lines).toEqual([]);
});
