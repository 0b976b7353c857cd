import { open, type FileHandle } from 'node:fs/promises';

/** Bytes that a config may have: some hundred thousand routes. Whatever is larger was not meant to be one. */
const MOST = 16 * 1_048_576;
/** How often a file that changes while it is read is read again. */
const TRIES = 10;

/** The text of a file, and when it was last changed; or why there is none. */
export type Whole = { readonly text: string; readonly changed: number } | { readonly message: string };

/**
 * Reads a config as it is at one moment. A program that writes it in place, without a temporary file, would otherwise be
 * caught in the middle, and half a config may be a good one with half of the routes. Rejects with the system's error.
 */
export async function readWhole(file: string): Promise<Whole> {
  for (let tries = 0; tries < TRIES; tries++) {
    const handle = await open(file, 'r');
    try {
      const before = await handle.stat({ bigint: true });
      const bytes = await readUpTo(handle, MOST + 1);
      if (bytes.length > MOST) return { message: `a config has at most ${MOST / 1_048_576} MiB` };
      const after = await handle.stat({ bigint: true });
      const still = before.mtimeNs === after.mtimeNs && before.size === after.size;
      if (still) return { text: bytes.toString('utf8'), changed: Number(after.mtimeMs) };
    } finally {
      await handle.close();
    }
  }
  return { message: 'it changes while it is read: try again when it is written, or replace it in one step (mv)' };
}

async function readUpTo(handle: FileHandle, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < most) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(65_536), 0, 65_536, null);
    if (bytesRead === 0) break;
    length += bytesRead;
    chunks.push(buffer.subarray(0, bytesRead));
  }
  return Buffer.concat(chunks);
}
