import { describe, expect, it } from 'vitest';
import { parseCpuTicks } from '../../../bench/rig/machine-load.ts';

describe('what the machine does', () => {
  it('is read from the line of all cores: idle and waiting for disks are not busy', () => {
    const text = 'cpu  10 1 5 80 4 2 3 15 7 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n';
    expect(parseCpuTicks(text)).toEqual({ busy: 36, stolen: 15, all: 120 });
  });

  it('is nothing where the kernel says nothing', () => {
    expect(parseCpuTicks('')).toEqual({ busy: 0, stolen: 0, all: 0 });
  });
});
