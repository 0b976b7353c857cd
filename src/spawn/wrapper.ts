import type { ProcessOptions } from './options.ts';

/**
 * What `sh -c` does before it becomes the program, which it is given as `$0`: what Node cannot do to a process. '' when there is
 * nothing: each shell costs a millisecond. Nothing of a request is in it but bytes written out as octal numbers.
 *
 * @param odd variables that are not UTF-8, which Node cannot put into an environment, as bytes
 */
export function wrapper(
  options: ProcessOptions,
  odd: readonly (readonly [name: string, value: string])[] = [],
): string {
  const { cpu, memory, files, fileSize, umask } = options;
  const steps = [
    ...(umask === '' ? [] : [`umask ${umask}`]),
    ...limit('t', cpu, 1000),
    ...limit('v', memory, 1024),
    ...limit('n', files, 1),
    // POSIX: in units of 512 bytes.
    ...limit('f', fileSize, 512),
    ...odd.map(([name, value]) => exported(name, value)),
  ];
  return steps.length === 0 ? '' : [...steps, 'exec "$0"'].join(' && ');
}

function limit(flag: string, value: number, unit: number): string[] {
  return value === Infinity ? [] : [`ulimit -${flag} ${Math.ceil(value / unit)}`];
}

/** `$( )` drops line ends at its end, so something else stands there and is taken off. */
function exported(name: string, value: string): string {
  const octal = value.replaceAll(/[^\w/.:=;,+-]/g, (one) => `\\0${one.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return `${name}=$(printf '%b.' '${octal}') && export ${name}="\${${name}%.}"`;
}
