import type { Status, UpstreamView } from '../control/views.ts';
import { askRunning, type PlaceWords } from './admin-place.ts';
import { plain, print, printJson, showBytes, showMs, table, terminalWidth } from './table.ts';

/** `sluice status` */
export async function status(words: PlaceWords & { json?: true }): Promise<void> {
  const made = (await askRunning(words, 'GET', '/v1/status')) as Status;
  if (words.json === true) return printJson(made);
  const upstreams = (await askRunning(words, 'GET', '/v1/upstreams')) as UpstreamView[];
  const width = terminalWidth();
  const blocks = [
    head(made),
    table(
      [
        { title: 'LISTENER', text: ({ name }) => name },
        { title: 'ADDRESS', text: ({ address }) => address },
        { title: 'OPEN', right: true, text: ({ connections }) => String(connections) },
        { title: 'OPENED', right: true, text: ({ opened }) => String(opened) },
        { title: 'REFUSED', right: true, text: ({ refused }) => String(refused) },
      ],
      made.listeners,
      width,
    ),
    table(
      [
        { title: 'THREAD', text: ({ id }) => String(id) },
        { title: 'STATE', text: ({ state }) => state },
        { title: 'CONNECTIONS', right: true, text: ({ connections }) => String(connections) },
        { title: 'IN FLIGHT', right: true, text: ({ inFlight }) => String(inFlight) },
        { title: 'REQUESTS', right: true, text: ({ requests }) => String(requests) },
        { title: 'RESTARTS', right: true, text: ({ restarts }) => String(restarts) },
      ],
      made.threads,
      width,
    ),
    table(
      [
        { title: 'UPSTREAM', text: ({ name }) => name },
        { title: 'ORIGINS', right: true, text: ({ origins }) => usable(origins) },
        { title: 'IN FLIGHT', right: true, text: ({ inFlight }) => String(inFlight) },
        { title: 'QUEUE', right: true, text: ({ queue }) => `${queue.length}/${queue.size}` },
        { title: 'REQUESTS', right: true, text: ({ requests }) => String(requests) },
        { title: 'P99', right: true, text: ({ latency }) => showMs(latency.p99) },
      ],
      upstreams,
      width,
    ),
  ];
  const pools = upstreams.flatMap(({ name, pools: list }) => list.map((pool) => ({ upstream: name, pool })));
  if (pools.length > 0) {
    blocks.push(
      table(
        [
          {
            title: 'PROCESSES',
            text: ({ upstream, pool }) => (upstream === pool.name ? upstream : `${upstream} ${pool.name}`),
          },
          { title: 'STATE', text: ({ pool }) => pool.state },
          { title: 'READY', right: true, text: ({ pool }) => `${pool.children.ready}/${pool.wanted}` },
          { title: 'STARTING', right: true, text: ({ pool }) => String(pool.children.starting) },
          { title: 'LEAVING', right: true, text: ({ pool }) => String(pool.children.draining + pool.children.ending) },
          { title: 'STARTS', right: true, text: ({ pool }) => String(pool.starts) },
          { title: 'CRASHES', right: true, text: ({ pool }) => String(pool.crashes) },
          { title: 'NOTE', spare: true, text: ({ pool }) => pool.reason },
        ],
        pools,
        width,
      ),
    );
  }
  print(blocks.map((lines) => lines.join('\n')).join('\n\n'));
}

function head({ version, node, pid, started, state, file, loaded, refused, memory }: Status): string[] {
  const lines = [
    `sluice ${version} is ${state}: process ${pid} since ${started}, Node ${node}, ${showBytes(memory)}`,
    `config: ${file ?? 'given by words'}, in force since ${loaded}`,
  ];
  if (refused !== null) lines.push(`the last reload was refused: ${refused}`);
  return lines.map(plain);
}

/** `2/3`: how many can be asked. */
function usable(origins: UpstreamView['origins']): string {
  return `${origins.filter(({ state }) => state === 'up' || state === 'full').length}/${origins.length}`;
}
