/**
 * Why a child cannot be started, where another try in a moment mends nothing: its command, its folder or who it is to run
 * as is not there.
 */
export class Unfit extends Error {
  override name = 'Unfit';
}

/** What spawn(2) and what comes before it answer when the fault is in what was asked for, and not in a machine that is short of something. */
const CODES: readonly string[] = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG', 'ENOEXEC', 'E2BIG'];

/** The same from the code of a system call's error. */
export function isUnfit(code: string | undefined): boolean {
  return code !== undefined && CODES.includes(code);
}

/** What a POSIX shell ends with when it cannot become a program: it may not, or there is none (XCU 2.8.2). */
export const SHELL_CANNOT: readonly (number | null)[] = [126, 127];
