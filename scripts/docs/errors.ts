/** docs/errors.md: every error code, from the tables in src/core/errors.ts and src/config/problems.ts. */
import { problemCodes } from '../../src/config/problems.ts';
import { errors, type ErrorRow, type Side } from '../../src/core/errors.ts';

export const page = 'docs/errors.md';

const INTRODUCTION = `# Errors

<!-- Made by \`npm run docs\` from src/core/errors.ts and src/config/problems.ts. Do not edit. -->

Codes are stable: match on them, not on messages.

## Requests

The code is in the access log and in \`SluiceError.code\`. **Status** is what the client gets if its answer has not begun; if it has, the
connection is cut, so that nobody takes the part for the whole. **Proxy-Status** is the error type that
RFC 9209 has for it, told in the field of this name. **Asked again** says whether another origin is asked:
*always* when nothing was sent, *idempotent* when the request may be repeated (RFC 9110 §9.2.2), within \`retries\`.
`;

const SIDES: Readonly<Record<Side, string>> = {
  client: 'The client is to blame',
  origin: 'An origin is to blame',
  sluice: 'sluice itself says no',
};

const CONFIG = `## Configs

\`sluice check\` tells them with file, line and column; a program finds them in \`problems\`.

| Code | What is wrong |
|---|---|
`;

export function render(): string {
  const sections = (Object.keys(SIDES) as Side[]).map((side) => `### ${SIDES[side]}\n\n${table(side)}`);
  const problems = Object.entries(problemCodes).map(([code, about]) => `| \`${code}\` | ${cell(about)} |\n`);
  return `${INTRODUCTION}\n${sections.join('\n')}\n${CONFIG}${problems.join('')}`;
}

function table(side: Side): string {
  const rows = Object.entries<ErrorRow>(errors)
    .filter(([, row]) => row.side === side)
    .map(([code, row]) => {
      const proxy = row.proxy === '-' ? '' : `\`${row.proxy}\``;
      return `| \`${code}\` | ${row.status} | ${proxy} | ${row.retry} | ${cell(row.about)} |\n`;
    });
  return `| Code | Status | Proxy-Status | Asked again | |\n|---|---|---|---|---|\n${rows.join('')}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
