import * as codes from './codes.ts';

export interface Fault {
  readonly code: number;
  readonly detail: string;
}

/** What is wrong with a frame by its header alone (RFC 9113 §6); `undefined` when nothing is. */
export function frameFault(type: number, flags: number, stream: number, length: number): Fault | undefined {
  if (!fits(type, flags, length)) {
    return { code: codes.FRAME_SIZE_ERROR, detail: `${codes.frameName(type)} of ${length} bytes` };
  }
  const wrong = (detail: string): Fault => ({ code: codes.PROTOCOL_ERROR, detail });
  switch (type) {
    case codes.SETTINGS:
    case codes.PING:
    case codes.GOAWAY:
      return stream === 0 ? undefined : wrong(`${codes.frameName(type)} of stream ${stream}`);
    case codes.DATA:
    case codes.HEADERS:
    case codes.PRIORITY:
    case codes.RST_STREAM:
    case codes.CONTINUATION:
      return stream === 0 ? wrong(`${codes.frameName(type)} of no stream`) : undefined;
    case codes.PUSH_PROMISE:
      return wrong('PUSH_PROMISE, which was ruled out');
    default:
      return undefined;
  }
}

function fits(type: number, flags: number, length: number): boolean {
  switch (type) {
    case codes.PRIORITY:
      return length === 5;
    case codes.RST_STREAM:
    case codes.WINDOW_UPDATE:
      return length === 4;
    case codes.SETTINGS:
      return (flags & codes.ACK) === 0 ? length % 6 === 0 : length === 0;
    case codes.PING:
      return length === 8;
    case codes.GOAWAY:
      return length >= 8;
    default:
      return true;
  }
}
