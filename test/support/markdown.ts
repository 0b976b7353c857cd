/** Documents as tests read them: fenced blocks, and terminal sessions in them. */

export interface Block {
  /** What stands behind the fence: `yaml`, `ts`, `text access`. */
  readonly language: string;
  readonly text: string;
  /** Line of the fence, from 1. */
  readonly line: number;
  /** The block that follows directly. */
  readonly next: Block | undefined;
}

const FENCED = /^```(?<language>[^\n]*)\n(?<text>[^]*?)^```$\n?(?<rest>\n?(?=```))?/gm;

/** All fenced blocks of a document. */
export function blocks(markdown: string): Block[] {
  const found: { -readonly [Key in keyof Block]: Block[Key] }[] = [];
  let follows = false;
  for (const match of markdown.matchAll(FENCED)) {
    const { language = '', text = '', rest } = match.groups as Record<string, string>;
    const line = markdown.slice(0, match.index).split('\n').length;
    const block = { language, text, line, next: undefined };
    const last = found.at(-1);
    if (follows && last !== undefined) last.next = block;
    found.push(block);
    follows = rest !== undefined;
  }
  return found;
}

export interface Step {
  readonly command: string;
  readonly printed: string;
  /** What has to be printed; `…` stands for anything. */
  readonly expected: RegExp;
}

/** What is typed (behind `$`) and printed (below) in a block of a terminal session. */
export function steps(session: string): Step[] {
  return session
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\n');
      const printed = part.slice(end + 1);
      const pattern = printed
        .split('…')
        .map((piece) => piece.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
        .join('[^]*?');
      return { command: part.slice(0, end), printed, expected: new RegExp(`^${pattern}$`) };
    });
}
