import type { Config } from '../config/config.ts';
import { boardMemory, type BoardMemory } from '../core/board.ts';
import { tallyMemory } from '../core/tally.ts';
import { type OriginAddress, originName } from '../core/origin.ts';
import { addressKey } from './plan.ts';

/** The boards of everything in a config, as they are handed to threads. */
export type BoardMap = ReadonlyMap<string, BoardMemory>;

/** What a board is known by: the identity of its thing, which outlives reloads. */
export const boardKeys = {
  originOf: (upstream: string, { address }: { readonly address: OriginAddress }): string =>
    `origin ${upstream} ${originName(address)}`,
  upstream: (name: string): string => `upstream ${name}`,
  route: (name: string): string => `route ${name}`,
  /** Several listeners may have the same address of port 0: they are told apart by their order. */
  listener(config: Config, index: number): string {
    const key = addressKey(config.listen[index]);
    const nth = config.listen.slice(0, index).filter((one) => addressKey(one) === key).length;
    return `listener ${key}${nth === 0 ? '' : ` ${nth}`}`;
  },
  /** Connections of a listener by address, where they are limited. */
  tally: (config: Config, index: number): string => `tally ${boardKeys.listener(config, index)}`,
};

/** Keeps the boards of what is in force: what stays keeps its own, what is new gets one, what is gone is let go. */
export class BoardBook {
  readonly #rows: number;
  #boards: BoardMap = new Map();

  /** @param rows threads that write, the control plane's own included */
  constructor(rows: number) {
    this.#rows = rows;
  }

  /** The boards in force. */
  get boards(): BoardMap {
    return this.#boards;
  }

  /** The boards that a config needs. They are in force after `use`. */
  for(config: Config): BoardMap {
    const keys = [
      ...config.listen.map((_, index) => boardKeys.listener(config, index)),
      ...config.routes.map(({ name }, index) => boardKeys.route(name ?? `#${index + 1}`)),
      ...Object.entries(config.upstreams).flatMap(([name, { origins }]) => [
        boardKeys.upstream(name),
        ...origins.map((origin) => boardKeys.originOf(name, origin)),
      ]),
    ];
    const boards = new Map(keys.map((key) => [key, this.#boards.get(key) ?? boardMemory(this.#rows)]));
    // One thread counts its connections by itself.
    if (this.#rows === 1) return boards;
    for (const [index, { limits }] of config.listen.entries()) {
      if (limits.connectionsPerAddress === Infinity) continue;
      const key = boardKeys.tally(config, index);
      boards.set(key, this.#boards.get(key) ?? tallyMemory(this.#rows));
    }
    return boards;
  }

  use(boards: BoardMap): void {
    this.#boards = boards;
  }
}
