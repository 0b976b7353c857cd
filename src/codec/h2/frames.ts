import * as codes from './codes.ts';

/** RFC 9113 §3.4: what a client says first, before its SETTINGS. */
export const MAGIC = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** So much of it tells a server of HTTP/1 who is there. */
export const FIRST_LINE = 'PRI * HTTP/2.0\r\n';

/** Frames as text, one character per byte: they are short, and leave with the heads in one write. */
export function frame(type: number, flags: number, stream: number, payload: string): string {
  return header(payload.length, type, flags, stream) + payload;
}

/** RFC 9113 §4.1. */
export function header(length: number, type: number, flags: number, stream: number): string {
  return String.fromCharCode((length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff, type, flags) + word(stream);
}

/** 32 bits. */
function word(value: number): string {
  return String.fromCharCode((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

function setting(id: number, value: number): string {
  return String.fromCharCode(id >>> 8, id & 0xff) + word(value);
}

type Settings = readonly (readonly [id: number, value: number])[];

/** What opens a connection: the preface, our settings, and more window for the connection than settings can give. */
export function preface(settings: Settings, window: number): string {
  return MAGIC + opening(settings, window);
}

/** The server's side of that. */
export function opening(settings: Settings, window: number): string {
  const all = settings.map(([id, value]) => setting(id, value)).join('');
  return frame(codes.SETTINGS, 0, 0, all) + windowUpdate(0, window - codes.DEFAULT_WINDOW);
}

export function windowUpdate(stream: number, increment: number): string {
  return frame(codes.WINDOW_UPDATE, 0, stream, word(increment));
}

export function rstStream(stream: number, code: number): string {
  return frame(codes.RST_STREAM, 0, stream, word(code));
}

/** @param last the last stream of the peer's that we have taken: 0 for a client, who takes none */
export function goaway(code: number, last = 0): string {
  return frame(codes.GOAWAY, 0, 0, word(last) + word(code));
}

export const SETTINGS_ACK: string = frame(codes.SETTINGS, codes.ACK, 0, '');
