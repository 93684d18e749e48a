const TABLE: number[] = createTable();

/** The state to begin a checksum with. */
export const CRC_START = -1;

/** Continues the standard CRC-32 (nginx's, zlib's) with text of one byte per character. */
export function crcText(crc: number, text: string): number {
  const length = text.length;
  let state = crc;
  for (let i = 0; i < length; i++) {
    state = TABLE[(state ^ text.charCodeAt(i)) & 0xff]! ^ (state >>> 8);
  }
  return state;
}

/** Continues with a 32-bit number, lowest byte first. */
export function crcNumber(crc: number, value: number): number {
  let state = crc;
  state = TABLE[(state ^ value) & 0xff]! ^ (state >>> 8);
  state = TABLE[(state ^ (value >>> 8)) & 0xff]! ^ (state >>> 8);
  state = TABLE[(state ^ (value >>> 16)) & 0xff]! ^ (state >>> 8);
  return TABLE[(state ^ (value >>> 24)) & 0xff]! ^ (state >>> 8);
}

/** The checksum as a number from 0 to 2^32 - 1. */
export function crcEnd(crc: number): number {
  // Both languages compute bits on signed numbers, and LuaJIT's `>>> 0` leaves them so.
  const value = crc ^ -1;
  return value < 0 ? value + 4294967296 : value;
}

function createTable(): number[] {
  const table: number[] = [];
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    }
    table.push(value ^ 0);
  }
  return table;
}
