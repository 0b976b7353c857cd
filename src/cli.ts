/**
 * The command. Only what the given words need is loaded: `sluice --help` reads neither zod nor the proxy.
 */
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { EXIT_FAILED, EXIT_USAGE } from './cli/exit.ts';
import { addOperatorCommands } from './cli/operator-commands.ts';
import { version } from './version.ts';

const EXAMPLES = `
Examples:
  sluice 3000 3001                      balance two local servers, listen on 8080
  sluice proxy --from 8080 --to http://127.0.0.1:3000 --to http://127.0.0.1:3001
  sluice run                            the sluice.config.* of this folder
  sluice run proxy.yaml                 a config by name
  sluice check proxy.yaml               say everything that is wrong with it
  sluice schema > sluice.schema.json    completion and checks in editors
  sluice top                            watch the running proxy
  sluice explain http://example.org/x   what would happen to a request`;

const program = new Command('sluice')
  .description('Reverse proxy and load balancer. Give it ports of local servers, or a config.')
  .version(version, '-V, --version', 'print the version')
  .argument('[ports...]', 'ports of servers on this machine to balance')
  .addHelpText('after', EXAMPLES)
  .showHelpAfterError('(sluice --help shows all commands)')
  .helpCommand('help [command]', 'show the help of a command')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'sluice: ')) })
  .action(async (ports) => {
    if (ports.length === 0) return program.help();
    const { shorthand } = await import('./cli/proxy.ts');
    await shorthand(ports);
  });

program
  .command('run')
  .description('run a config until SIGTERM or SIGINT')
  .argument('[file]', 'TypeScript, JavaScript, YAML or JSON; default: sluice.config.* in this folder')
  .option('--watch', 'read the config again when its file changes')
  .option('--takeover', 'take the place of the sluice that listens on the same ports: it drains and ends (Linux)')
  .addHelpText(
    'after',
    '\nSignals: SIGHUP reads the config again · SIGUSR1 opens the log files anew · SIGTERM, SIGINT drain and end (twice: at once).',
  )
  .action(async (file, { watch, takeover }) => {
    const { run } = await import('./cli/run.ts');
    await run(file, { watch: watch === true, takeover: takeover === true });
  });

program
  .command('check')
  .description('check a config and say everything that is wrong with it')
  .argument('[file]', 'default: sluice.config.* in this folder')
  .action(async (file) => {
    const { checkFile } = await import('./cli/run.ts');
    await checkFile(file);
  });

program
  .command('proxy')
  .description('proxy without a config')
  .addOption(new Option('--from <address>', 'where to listen: PORT or HOST:PORT').default('8080'))
  .requiredOption(
    '--to <url...>',
    'one or more origins: a port of this machine, HOST:PORT, http://HOST or unix:/path for HTTP; https://HOST, h2://HOST, h2c://HOST, ' +
      'fastcgi://HOST:PORT, scgi://HOST:PORT, uwsgi://HOST:PORT, ajp://HOST:PORT for other protocols; each also on a socket, as in ' +
      'fastcgi+unix:/path; srv:NAME; or a program, cgi:/path',
  )
  .option('--balance <name>', 'how an origin is chosen', 'random-two')
  .addOption(new Option('--threads <n>', 'threads to use, or auto for one per core').argParser(parseThreads).default(1))
  .option('--access-log <target>', 'stdout, stderr, off, or a file', 'stdout')
  .addHelpText('after', '\nExample:\n  sluice proxy --from 127.0.0.1:8080 --to 3000 --to 3001 --balance least-busy')
  .action(async (options) => {
    const { proxy } = await import('./cli/proxy.ts');
    await proxy(options);
  });

program
  .command('schema')
  .description('print the JSON Schema of configs, for editors')
  .action(async () => {
    const { jsonSchema } = await import('./config/index.ts');
    process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
  });

addOperatorCommands(program as unknown as Command);

/**
 * commander ends with 1 for wrong words; ours is 2, so that scripts can tell a typo from a proxy that failed. Of `plan`
 * 2 means "something would change".
 */
function endOnUsage(command: {
  name(): string;
  exitOverride(end: (error: { exitCode: number }) => never): unknown;
  readonly commands: readonly never[];
}): void {
  const usage = command.name() === 'plan' ? EXIT_FAILED : EXIT_USAGE;
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : usage));
  command.commands.forEach(endOnUsage);
}
endOnUsage(program as never);

await program.parseAsync();

function parseThreads(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('a whole number, 1 or more, or auto.');
  return count;
}
