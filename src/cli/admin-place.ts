import { askAdmin, type AdminPlace, AdminError } from '../admin/client.ts';
import type { AdminOptions } from '../admin/options.ts';
import { readToken } from '../admin/token.ts';
import { findConfig, load } from '../config/index.ts';
import { addressProblem, parseListenAddress, showListenAddress } from '../listen/address.ts';
import { die, EXIT_FAILED, EXIT_USAGE } from './exit.ts';
import { answerToOwnName } from './own-name.ts';

/** The words that every command of an operator takes. */
export interface PlaceWords {
  readonly admin?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly config?: string | undefined;
}

const HOW =
  'give --admin ADDRESS or --config FILE, set SLUICE_ADMIN, or run this where the config is. A config switches it on with, for example:\n\n' +
  '  admin: unix:/run/sluice/admin.sock';

/** Asks the running proxy, or ends and says why there is nobody to ask, or what was refused. */
export async function askRunning(
  words: PlaceWords,
  ...ask: [method: string, path: string, body?: Parameters<typeof askAdmin>[3]]
): Promise<unknown> {
  return orDie(askAdmin(await placeOf(words), ...ask));
}

/** The outcome; a refusal ends the command with `code`. */
export async function orDie<Made>(work: Promise<Made>, code: number = EXIT_FAILED): Promise<Made> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    return die(code, [error.message, ...error.problems.filter((one) => one !== error.message)].join('\n'));
  }
}

/** Where to ask: the words given, the environment, the config of the folder, in this order. */
export async function placeOf(
  { admin, tokenFile, config }: PlaceWords,
  code: number = EXIT_USAGE,
): Promise<AdminPlace> {
  const text = admin ?? (process.env['SLUICE_ADMIN'] || undefined);
  if (text !== undefined) {
    const plain = text.replace(/^http:\/\/([^/]+)\/?$/, '$1');
    const address = parseListenAddress(/^\d+$/.test(plain) ? `127.0.0.1:${plain}` : plain);
    if (address === undefined)
      return die(code, `${admin === undefined ? 'SLUICE_ADMIN' : '--admin'} ${text}: ${addressProblem(plain)}`);
    // The token of the config is not shown to an address that somebody else gave.
    return { address, token: await tokenOf(tokenFile, null, code), shown: showListenAddress(address) };
  }
  const options = await configured(config, code);
  return {
    address: options.address,
    token: await tokenOf(tokenFile, options, code),
    shown: showListenAddress(options.address),
  };
}

async function configured(file: string | undefined, code: number): Promise<AdminOptions> {
  const found = file ?? (await findConfig('.'));
  if (typeof found !== 'string') return die(code, `there is no config in this folder to say where sluice is: ${HOW}`);
  answerToOwnName();
  const checked = await load(found);
  if (checked.config === undefined) {
    const [{ message }] = checked.problems;
    return die(code, `${found} does not say where sluice is, because it is wrong (${message}): ${HOW}`);
  }
  return checked.config.admin ?? die(code, `${found} has no \`admin\`: ${HOW}`);
}

async function tokenOf(file: string | undefined, options: AdminOptions | null, code: number): Promise<string | null> {
  const fromEnvironment = process.env['SLUICE_ADMIN_TOKEN'];
  if (file === undefined && fromEnvironment !== undefined && fromEnvironment !== '') {
    if (/^[\x21-\x7e]+$/.test(fromEnvironment)) return fromEnvironment;
    return die(code, 'SLUICE_ADMIN_TOKEN: a token is one line of ASCII letters, digits and signs, without spaces');
  }
  try {
    return await readToken(
      file === undefined ? (options ?? { token: null, tokenFile: null }) : { token: null, tokenFile: file },
    );
  } catch (error) {
    return die(
      code,
      (error as Error).message.replace(/^admin\.tokenFile/, file === undefined ? 'admin.tokenFile' : '--token-file'),
    );
  }
}
