/** The commands that ask a running proxy, or a config what it would do. Words only: what they do is loaded when it is needed. */
import { type Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';

const admin = new Option(
  '--admin <address>',
  'the admin interface: unix:/path, PORT or HOST:PORT; default: SLUICE_ADMIN, or what the config of this folder says',
);
const tokenFile = new Option(
  '--token-file <file>',
  'a file with its token; default: SLUICE_ADMIN_TOKEN, or the config',
);
const config = new Option(
  '--config <file>',
  'the config that says where it is; default: sluice.config.* in this folder',
);
const json = new Option('--json', 'for scripts: the answer as JSON');
const ttl = new Option('--ttl <time>', 'undo it after a while, such as 10m; default: at the next reload of the config');
const most = new Option('--most <n>', 'how many at most').default(20).argParser(whole);

export function addOperatorCommands(program: Command): void {
  program
    .command('status')
    .description('say how the running proxy is: threads, listeners, upstreams')
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText(
      'after',
      '\nExamples:\n  sluice status\n  sluice status --json | jq .memory\n  sluice status --admin unix:/run/sluice/admin.sock',
    )
    .action(async (options) => {
      const { status } = await import('./status.ts');
      await status(options);
    });
  addOrigins(program);
  program
    .command('queue')
    .description('show the requests that wait for an origin, longest wait first')
    .argument('<upstream>')
    .addOption(most)
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText('after', '\nExample:\n  sluice queue app --most 5')
    .action(async (upstream, options) => {
      const { queue } = await import('./requests.ts');
      await queue(upstream, options);
    });
  program
    .command('requests')
    .description('show the last requests that failed or were slow, or all about one')
    .argument('[id]', 'its X-Request-Id')
    .addOption(most)
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText('after', '\nExamples:\n  sluice requests\n  sluice requests k3f9a2-1c')
    .action(async (id, options) => {
      const { requests } = await import('./requests.ts');
      await requests(id, options);
    });
  program
    .command('reload')
    .description('have the running proxy read its config again, or go over to another')
    .argument('[file]', 'YAML or JSON; default: the file it was started with')
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText(
      'after',
      '\nA wrong config changes nothing and says why.\n\nExamples:\n  sluice reload\n  sluice plan new.yaml; sluice reload new.yaml',
    )
    .action(async (file, options) => {
      const { reloadRunning } = await import('./plan.ts');
      await reloadRunning(file, options);
    });
  program
    .command('restart')
    .description('replace the processes that sluice has started for an upstream, one after the other')
    .argument('<upstream>')
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText(
      'after',
      '\nA new one is ready before an old one gets nothing new, finishes what it has and ends.\n\nExample:\n  sluice restart app',
    )
    .action(async (upstream, options) => {
      const { restart } = await import('./origins.ts');
      await restart(upstream, options);
    });
  program
    .command('top')
    .description('watch upstreams and origins: requests, queue, in flight, latency, errors; q ends it')
    .option('--once', 'print one table and end; also when the output is no terminal')
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText('after', '\nExamples:\n  sluice top\n  sluice top --once')
    .action(async (options) => {
      const { top } = await import('./top.ts');
      await top(options);
    });
  program
    .command('plan')
    .description('say what a reload would do, without doing it')
    .argument('[file]', 'the new config; default: sluice.config.* in this folder')
    .option('--against <file>', 'compare with this config instead of asking the running proxy')
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing would change · 2 something would · 1 it could not be told, or the config is wrong\n\n' +
        'Examples:\n  sluice plan new.yaml\n  sluice plan new.yaml --against old.yaml\n  sluice plan new.yaml || test $? -eq 2',
    )
    .action(async (file, options) => {
      const { plan } = await import('./plan.ts');
      await plan(file, options);
    });
  program
    .command('explain')
    .description('say what would happen to a request, without sending it')
    .argument('<words...>', '[METHOD] URL; METHOD is GET when left out')
    .addOption(
      new Option('-H, --header <line>', "a header field, 'Name: value'; may be repeated")
        .default([] as string[])
        .argParser((line: string, before: string[]) => [...before, line]),
    )
    .option('--client <address>', "the client's IP address; default 127.0.0.1")
    .option('--live', 'ask the running proxy, which knows how its origins are; also with --admin')
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(new Option('--config <file>', 'the config to go by; default: sluice.config.* in this folder'))
    .addHelpText(
      'after',
      "\nExamples:\n  sluice explain http://example.org/api/x\n  sluice explain POST /api/x -H 'Host: example.org' -H 'Cookie: sluice=abc'\n  sluice explain --live /",
    )
    .action(async (words, options) => {
      const { explainRequest } = await import('./explain-request.ts');
      await explainRequest(words, options);
    });
}

function addOrigins(program: Command): void {
  const origins = program
    .command('origins')
    .description('list, add, remove, drain, enable or weigh origins of the running proxy')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice origins\n  sluice origins add app 127.0.0.1:3002 --weight 2 --ttl 10m\n  sluice origins drain app 127.0.0.1:3000\n' +
        '  sluice origins enable app 127.0.0.1:3000\n  sluice origins weigh app unix:/run/app.sock 0.5',
    );
  origins
    .command('list', { isDefault: true })
    .description('list the origins of one upstream or of all')
    .argument('[upstream]')
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .action(async (upstream, options) => {
      const { list } = await import('./origins.ts');
      await list(upstream, options);
    });
  origins
    .command('add')
    .description('add an origin')
    .argument('<upstream>')
    .argument('<url>', 'http://HOST:PORT, HOST:PORT, a port of this machine, or unix:/path')
    .addOption(new Option('--weight <n>', 'share of the load').argParser(number))
    .option('--backup', 'asked only when no other origin is usable')
    .addOption(new Option('--max-connections <n>', 'most requests in flight').argParser(whole))
    .addOption(ttl)
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText('after', '\nExample:\n  sluice origins add app 127.0.0.1:3002 --weight 2 --ttl 10m')
    .action(async (upstream, url, options) => {
      const { add } = await import('./origins.ts');
      await add(upstream, url, options);
    });
  const changes = {
    remove: 'take an origin out; the requests it has may end',
    drain: 'give an origin nothing new; the requests it has may end',
    enable: 'undo drain',
  } as const;
  for (const name of ['remove', 'drain', 'enable'] as const) {
    origins
      .command(name)
      .description(changes[name])
      .argument('<upstream>')
      .argument('<origin>', 'its name, as sluice origins lists it')
      .addOption(ttl)
      .addOption(json)
      .addOption(admin)
      .addOption(tokenFile)
      .addOption(config)
      .addHelpText('after', `\nExample:\n  sluice origins ${name} app 127.0.0.1:3000`)
      .action(async (upstream, origin, options) => {
        const { change } = await import('./origins.ts');
        await change(name, upstream, origin, undefined, options);
      });
  }
  origins
    .command('weigh')
    .description('give an origin another weight')
    .argument('<upstream>')
    .argument('<origin>', 'its name, as sluice origins lists it')
    .argument('<weight>', 'share of the load, 0 to 1000; 0: asked only when no other is usable', number)
    .addOption(ttl)
    .addOption(json)
    .addOption(admin)
    .addOption(tokenFile)
    .addOption(config)
    .addHelpText('after', '\nExample:\n  sluice origins weigh app 127.0.0.1:3000 0.1 --ttl 1h')
    .action(async (upstream, origin, weight, options) => {
      const { change } = await import('./origins.ts');
      await change('weigh', upstream, origin, weight, options);
    });
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) throw new InvalidArgumentError('a whole number, 1 or more.');
  return Number(text);
}

function number(text: string): number {
  if (!/^\d{1,9}(?:\.\d+)?$/.test(text)) throw new InvalidArgumentError('a number, 0 or more.');
  return Number(text);
}
