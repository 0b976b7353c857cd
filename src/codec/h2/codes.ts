/** The numbers of HTTP/2: RFC 9113 §6 (frames), §6.5.2 (settings), §7 (error codes), and RFC 8441 §3. */

/** Frame types. */
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** Flags; the first has two meanings. */
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const WITH_PRIORITY = 0x20;

/** Settings. */
export const HEADER_TABLE_SIZE = 1;
export const ENABLE_PUSH = 2;
export const MAX_CONCURRENT_STREAMS = 3;
export const INITIAL_WINDOW_SIZE = 4;
export const MAX_FRAME_SIZE = 5;
export const MAX_HEADER_LIST_SIZE = 6;
export const ENABLE_CONNECT_PROTOCOL = 8;

/** Error codes. */
export const NO_ERROR = 0;
export const PROTOCOL_ERROR = 1;
export const FLOW_CONTROL_ERROR = 3;
export const STREAM_CLOSED = 5;
export const FRAME_SIZE_ERROR = 6;
export const REFUSED_STREAM = 7;
export const CANCEL = 8;
export const COMPRESSION_ERROR = 9;
export const ENHANCE_YOUR_CALM = 0xb;
export const HTTP_1_1_REQUIRED = 0xd;

const ERROR_NAMES = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
  ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
];

/** For the log. */
export function errorName(code: number): string {
  return ERROR_NAMES[code] ?? `error ${code}`;
}

const FRAME_NAMES = [
  ...['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY', 'WINDOW_UPDATE'],
  'CONTINUATION',
];

export function frameName(type: number): string {
  return FRAME_NAMES[type] ?? `a frame of type ${type}`;
}

/** Bytes of a frame's header. */
export const HEADER = 9;
/** RFC 9113 §6.5.2: what a frame's payload may have unless a setting says more; we never say more. */
export const DEFAULT_FRAME = 16_384;
/** RFC 9113 §6.9.2: every window before settings. */
export const DEFAULT_WINDOW = 65_535;
/** RFC 9113 §6.9.1. */
export const MOST_WINDOW = 0x7fff_ffff;
export const MOST_STREAM_ID = 0x7fff_ffff;
/** RFC 7541 §4, RFC 9113 §6.5.2. */
export const DEFAULT_TABLE = 4096;
