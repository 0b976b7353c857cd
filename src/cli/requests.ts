import type { RecordView, WaitingView } from '../control/views.ts';
import { askRunning, type PlaceWords } from './admin-place.ts';
import { plain, print, printJson, showMs, table, terminalWidth } from './table.ts';

type Words = PlaceWords & { readonly json?: true; readonly most: number };

/** `sluice queue UPSTREAM` */
export async function queue(upstream: string, words: Words): Promise<void> {
  const path = `/v1/upstreams/${encodeURIComponent(upstream)}/queue?most=${words.most}`;
  const made = (await askRunning(words, 'GET', path)) as WaitingView[];
  if (words.json === true) return printJson(made);
  if (made.length === 0) return print(plain(`${upstream}: nobody waits`));
  const lines = table(
    [
      { title: 'WAITED', right: true, text: ({ waited }) => showMs(waited) },
      { title: 'LEFT', right: true, text: ({ left }) => showMs(left) },
      { title: 'METHOD', text: ({ method }) => method },
      { title: 'HOST', text: ({ host }) => host },
      { title: 'TARGET', text: ({ target }) => target },
      { title: 'CLIENT', text: ({ client }) => client },
      { title: 'ID', text: ({ id }) => id },
    ],
    made,
    terminalWidth(),
  );
  print(lines.join('\n'));
}

/** `sluice requests [ID]` */
export async function requests(id: string | undefined, words: Words): Promise<void> {
  if (id !== undefined) {
    const one = (await askRunning(words, 'GET', `/v1/requests/${encodeURIComponent(id)}`)) as RecordView;
    return words.json === true ? printJson(one) : print(about(one).map(plain).join('\n'));
  }
  const made = (await askRunning(words, 'GET', `/v1/requests?most=${words.most}`)) as RecordView[];
  if (words.json === true) return printJson(made);
  if (made.length === 0) return print('no request has failed or been slow');
  const lines = table(
    [
      { title: 'TIME', text: ({ at }) => at },
      { title: 'WHY', text: ({ why, error }) => (why === 'slow' ? 'slow' : error === '' ? 'error' : error) },
      { title: 'STATUS', right: true, text: ({ status }) => String(status) },
      { title: 'TOTAL', right: true, text: ({ total }) => showMs(total) },
      { title: 'METHOD', text: ({ method }) => method },
      { title: 'TARGET', text: ({ host, target }) => `${host}${target}` },
      { title: 'ORIGIN', text: ({ upstream, origin }) => `${upstream} ${origin}`.trim() },
      { title: 'ID', text: ({ id: name }) => name },
    ],
    made,
    terminalWidth(),
  );
  print(lines.join('\n'));
}

function about(one: RecordView): string[] {
  const { detail, error, status, ledger, queue: waited, connect, first, total } = one;
  return [
    `${one.method} ${one.host}${one.target}`,
    `id       ${one.id}`,
    `at       ${one.at}, from ${one.client} on ${one.listener}`,
    `result   ${status}${error === '' ? '' : ` ${error}`}${detail === '' ? '' : ` (${detail})`}`,
    `way      route ${one.route || '-'}, upstream ${one.upstream || '-'}, origin ${one.origin || '-'}`,
    `time     queue ${showMs(waited)}, connect ${showMs(connect)}, first byte ${showMs(first)}, total ${showMs(total)}`,
    `attempts ${one.attempts}`,
    ...ledger.map((line) => `  ${line}`),
  ];
}
