/**
 * Methods that every Node release has had since 6 and that its type package leaves out. They skip the encoding look-up
 * of `toString('latin1', …)`, which is paid several times per request here.
 */
declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
  }
}

export {};
