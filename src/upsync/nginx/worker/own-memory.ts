import { ffi } from './ffi.ts';

/** 32-bit cells of memory, from 0. */
export type Cells = Record<number, number>;
/** Copies `count` cells from an address; undefined where there is no memory. */
export type ReadCells = (this: void, address: number, count: number) => Cells | undefined;

interface Pipes {
  upsync_pipe(this: void, ends: Cells): number;
  upsync_write(this: void, end: number, from: unknown, bytes: number): number;
  upsync_read(this: void, end: number, to: unknown, bytes: number): number;
  upsync_close(this: void, end: number): number;
}

const DECLARATIONS = `
int upsync_pipe(int *) __asm__("pipe");
intptr_t upsync_write(int, const void *, size_t) __asm__("write");
intptr_t upsync_read(int, void *, size_t) __asm__("read");
int upsync_close(int) __asm__("close");
`;
const CELL_BYTES = 4;
const WORD = 2 ** 32;

let isDeclared = false;

/**
 * Lets `use` read this worker's memory at addresses that may be none. What is read goes through a pipe: the kernel refuses
 * such an address, where reading it would end the worker.
 */
export function readingMemory<T>(use: (this: void, read: ReadCells) => T): T {
  if (!isDeclared) ffi.cdef(DECLARATIONS);
  isDeclared = true;
  const pipes = ffi.C as Pipes;
  const ends = ffi.new<Cells>('int[2]');
  if (pipes.upsync_pipe(ends) !== 0) error('no pipe', 0);
  const [isRead, result] = pcall(use, (address: number, count: number) => {
    const bytes = count * CELL_BYTES;
    const cells = ffi.new<Cells>('uint32_t[?]', count);
    const written = tonumber(pipes.upsync_write(ends[1]!, ffi.cast('void *', address), bytes))!;
    // Where memory ends in between, a part of it came through.
    if (written > 0) pipes.upsync_read(ends[0]!, cells, written);
    return written === bytes ? cells : undefined;
  });
  for (const end of $range(0, 1)) pipes.upsync_close(ends[end]!);
  if (!isRead) error(result, 0);
  return result;
}

/** The address that stands in the word of two cells. */
export function pointerAt(cells: Cells, word: number): number {
  return cells[word * 2]! + cells[word * 2 + 1]! * WORD;
}
