import { CPING, CPONG } from './codes.ts';
import { PACKET_HEAD, sealed } from './packet.ts';

/** What a container's answer to a ping amounts to: not all is here yet, it lives, or it does not speak AJP. */
export type Pong = 'more' | 'pong' | 'bad';

/** A packet that asks a container, on a connection without a request, whether it works. */
export function ping(): Buffer {
  return sealed(Buffer.from([0, 0, 0, 0, CPING]));
}

/** Reads all that has come since the ping. */
export function readPong(bytes: Buffer): Pong {
  const wanted = [0x41, 0x42, 0, 1, CPONG];
  const length = Math.min(bytes.length, wanted.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== wanted[i]) return 'bad';
  if (bytes.length > PACKET_HEAD + 1) return 'bad';
  return bytes.length === wanted.length ? 'pong' : 'more';
}
