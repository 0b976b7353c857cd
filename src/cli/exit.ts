/** The words or the config are wrong: nothing was started. */
export const EXIT_USAGE = 2;
/** The proxy could not start, or ended by failure. */
export const EXIT_FAILED = 1;

/** Says one line, or one paragraph per problem, and ends. */
export function die(code: number, message: string): never {
  process.stderr.write(`sluice: ${message}\n`);
  process.exit(code);
}
