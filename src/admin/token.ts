import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LEAST_TOKEN, type AdminOptions } from './options.ts';

/** The token in force; `null`: none is wanted. Rejects when the file has none, and names the file, never what is in it. */
export async function readToken({
  token,
  tokenFile,
}: Pick<AdminOptions, 'token' | 'tokenFile'>): Promise<string | null> {
  if (tokenFile === null) return token;
  let text: string;
  try {
    text = (await readFile(tokenFile, 'utf8')).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'no permission to read it' : code;
    throw new Error(`admin.tokenFile ${tokenFile}: ${why}`, { cause: error });
  }
  if (text.length < LEAST_TOKEN)
    throw new Error(`admin.tokenFile ${tokenFile}: a token has at least ${LEAST_TOKEN} characters`);
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw new Error(
      `admin.tokenFile ${tokenFile}: a token is one line of ASCII letters, digits and signs, without spaces`,
    );
  }
  return text;
}

/** Compares tokens in a time that says nothing about the right one: neither its text nor its length. */
export class TokenCheck {
  readonly #digest: Buffer | null;

  constructor(token: string | null) {
    this.#digest = token === null ? null : digest(token);
  }

  /** @param authorization the field's value, if there is one */
  of(authorization: string | undefined): 'good' | 'no-token' | 'wrong-token' {
    if (this.#digest === null) return 'good';
    const given = /^bearer +([^\s]+) *$/i.exec(authorization ?? '')?.[1];
    if (given === undefined) return authorization === undefined ? 'no-token' : 'wrong-token';
    return timingSafeEqual(digest(given), this.#digest) ? 'good' : 'wrong-token';
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
