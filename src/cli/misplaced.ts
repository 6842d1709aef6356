import type {Given} from '../inputs/given.ts';
import type {InputName} from '../inputs/table.ts';
import type {Command} from './arguments.ts';

/** What a command line says beside its inputs. */
interface Beside {
  readonly against: boolean;
  readonly passwordsOnStdin: readonly ('source-password' | 'target-password')[];
}

/** What says how to mirror has no place where nothing is mirrored. */
const besideVerify: readonly InputName[] = [
  'engine',
  'concurrency',
  'dry-run',
  'publish',
  'shards'
];

/** What to install, where a runner has a place for tools. */
const installing: readonly InputName[] = ['docker-version', 'docker-sha256', 'docker-download-url'];

/** What has a meaning on a runner only. */
export const runnerOnly: ReadonlySet<InputName> = new Set(['keep-login', ...installing]);

/** With a lock file, it alone says what is compared. */
const besideAgainst: readonly InputName[] = [
  'source-registry',
  'source-repository',
  'source-username',
  'source-tag',
  'target-tag',
  'images',
  'chart',
  'referrers'
];

/** Why `verify` cannot be asked for `catch-up`, by a flag or otherwise. */
export const nothingToCatchUp =
  'verify has nothing to compare with catch-up, which names what is not there yet; name the releases in --source-tag';

/** Flags that would do nothing where they stand, a mistake each: they would promise something. */
export function misplaced(command: Command, given: Given, beside: Beside): readonly string[] {
  if (command === 'help' || command === 'version') return [];
  const {against, passwordsOnStdin} = beside;
  const mistakes: string[] = [];
  const among = (names: readonly InputName[]) =>
    names.filter(name => given.has(name)).map(name => `--${name}`);
  const idle = command === 'demo' ? [...given.keys()] : command === 'verify' ? besideVerify : [];
  const strange = among(idle);
  if (command === 'demo') strange.push(...passwordsOnStdin.map(name => `--${name}-stdin`));
  if (strange.length > 0)
    mistakes.push(`${command} has no use for ${strange.join(', ')}; leave it out`);
  if (/^\s*true\s*$/i.test(given.get('keep-login')?.value ?? '') && command !== 'demo')
    mistakes.push(
      '--keep-login is for workflows, which sign out again at their end; here, sign in with docker login'
    );
  const tools = command === 'demo' ? [] : among(installing);
  if (tools.length > 0)
    mistakes.push(
      `${tools.join(', ')} ${tools.length === 1 ? 'is' : 'are'} for workflows, where a docker client may be installed; here, install one yourself`
    );
  if (command === 'verify' && given.has('lock-file'))
    mistakes.push(
      'verify writes no lock file, so --lock-file has no place here; to compare with one, use --against'
    );
  if (
    command === 'verify' &&
    /(?:^|[\s,])catch-up(?:[\s,]|$)/.test(given.get('source-tag')?.value ?? '')
  )
    mistakes.push(nothingToCatchUp);
  if (!against) return mistakes;
  if (command !== 'verify') mistakes.push('--against belongs to the command verify');
  const compared = among(besideAgainst);
  if (passwordsOnStdin.includes('source-password')) compared.push('--source-password-stdin');
  if (compared.length > 0)
    mistakes.push(
      `with --against the lock file says what is compared; leave out ${compared.join(', ')}`
    );
  return mistakes;
}
