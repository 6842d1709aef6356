import {execFileSync} from 'node:child_process';
import {mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {inspect} from 'node:util';

import {afterAll, afterEach, beforeAll, describe, expect, it, jest} from '@jest/globals';

import {readInputs, readSettings, readVariables, type Settings} from '../src/inputs.ts';
import {InputError} from '../src/inputs/error.ts';
import {combine, type Given, type GivenValue, type Origin} from '../src/inputs/given.ts';
import {nearest} from '../src/inputs/nearest.ts';
import {type InputName, inputTable, isInputName} from '../src/inputs/table.ts';
import type {Log} from '../src/log.ts';

const certificate = `-----BEGIN CERTIFICATE-----
MIIBiDCCAS+gAwIBAgIUfk3ca/r8bPxEi1dbufsPo4hl/Z4wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIyMDMyMzE4WhgPMjEy
NjEwMjkwMzIzMThaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEw927CWVlaaelrLKVWL1HpuBK2LjxzydUMH9lrTTD
DrHUS5NPxkZwEX7e7QSw/+8BKv1xG5RSbT/5RpCHM/E5/qNTMFEwHQYDVR0OBBYE
FKF6qvf3vJVTZ2lQidDi9rMoqW4UMB8GA1UdIwQYMBaAFKF6qvf3vJVTZ2lQidDi
9rMoqW4UMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgZ46No+au
yzJIfmvJ5LdZVV0Mw4x/WeWkvEawJe0MmOYCIHbaDIKNWR1zh/fDkg1fQy0UgMWl
JxM2nXnmhL7GVAt+
-----END CERTIFICATE-----`;

type Values = Partial<Record<InputName, string>>;

const enough: Values = {'target-registry': 'acr.io', 'target-repository': 'arcdata'};
let home = '';
let workspace = '';

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'inputs-'));
  workspace = join(home, 'workspace');
  await mkdir(join(workspace, 'folder'), {recursive: true});
  const write = (name: string, text: string | Buffer) => writeFile(join(workspace, name), text);
  await Promise.all([
    write('ca.pem', `Test authority\n${certificate}\n${certificate}\n`),
    write('../outside.pem', certificate),
    write('der.cer', Buffer.from([0x30, 0x82, 1, 0])),
    write('empty.pem', ''),
    write('cut.pem', certificate.replace(/9rMoq[^]*GVAt\+/, 'AAAA')),
    write('large.pem', 'x'.repeat(1024 * 1024 + 1)),
    symlink('ca.pem', join(workspace, 'link.pem')),
    symlink('loop.pem', join(workspace, 'loop.pem')),
    symlink('folder', join(workspace, 'near')),
    symlink(home, join(workspace, 'away'))
  ]);
  execFileSync('mkfifo', [join(workspace, 'pipe')]);
});

afterAll(() => rm(home, {recursive: true}));

afterEach(() => {
  jest.useRealTimers();
});

/** A log that remembers. */
class Memory implements Log {
  readonly notices: string[] = [];
  readonly warnings: string[] = [];
  readonly secrets: string[] = [];
  debug = (): void => undefined;
  info = (): void => undefined;
  notice = (message: string): void => void this.notices.push(message);
  warning = (message: string): void => void this.warnings.push(message);
  secret = (value: string): void => void this.secrets.push(value);
}

function environment(values: Values, others: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  // The runner hands over every declared input, empty where there is none.
  const inputs = inputTable.map(({name}) => [`INPUT_${name.toUpperCase()}`, values[name] ?? '']);
  return {
    GITHUB_WORKSPACE: workspace,
    RUNNER_TEMP: home,
    ...(Object.fromEntries(inputs) as Record<string, string>),
    ...others
  };
}

function settings(values: Values, others: NodeJS.ProcessEnv = {}, log = new Memory()): Settings {
  return readInputs(environment({...enough, ...values}, others), log);
}

/** What is wrong, `input: message`. */
function mistakes(values: Values, others: NodeJS.ProcessEnv = {}, log = new Memory()): string[] {
  try {
    settings(values, others, log);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems.map(({input, message}) => `[${input}] ${message}`);
  }
}

function givenBy(origin: Origin, values: Values): Given {
  return new Map(
    Object.entries(values).map(([name, value]) => [name as InputName, {value, origin}])
  );
}

/** Rows whose title is the beginning of their value, as JSON. */
function titled(
  rows: readonly (readonly [string, string])[]
): {title: string; value: string; rule: string}[] {
  return rows.map(([value, rule]) => ({title: JSON.stringify(value).slice(0, 40), value, rule}));
}

/** What is wrong with one input that has this value. */
function mistake(name: InputName, value: string): string {
  const found = mistakes({[name]: value});
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}

describe('defaults', () => {
  it('are those of the table', () => {
    expect(settings({})).toEqual({
      source: {registry: 'mcr.microsoft.com', repository: 'arcdata'},
      target: {registry: 'acr.io', repository: 'arcdata'},
      tags: [{kind: 'latest', text: 'latest'}],
      images: {kind: 'release-set', add: [], remove: []},
      engine: 'registry',
      concurrency: 24,
      dockerDownloadUrl: 'https://download.docker.com',
      timeout: 180 * 60_000,
      dryRun: false,
      publish: true,
      shards: 4,
      referrers: false,
      chart: false,
      keepLogin: false,
      insecure: new Set(),
      lockFile: join(home, 'arcdata-mirror.lock.json')
    });
  });

  it('count for lists that hold only comments', () => {
    expect(settings({'source-tag': '# newest\n\n', images: '  # all\r\n'})).toMatchObject({
      tags: [{kind: 'latest'}],
      images: {kind: 'release-set', add: [], remove: []}
    });
  });

  it('need the target', () => {
    expect(mistakes({'target-registry': ' ', 'target-repository': ''})).toEqual([
      expect.stringMatching(/^\[target-registry\] target-registry: is required.*TARGET_DOCKER_REG/),
      expect.stringMatching(/^\[target-repository\] target-repository: is required.*team\/arcdata/)
    ]);
  });
});

describe('variables', () => {
  const variables = {
    SOURCE_DOCKER_REGISTRY: 'mirror.example.com',
    SOURCE_DOCKER_REPOSITORY: 'a/arcdata',
    SOURCE_DOCKER_USERNAME: 'reader',
    SOURCE_DOCKER_PASSWORD: 'reader-password',
    SOURCE_DOCKER_TAG: 'v1.46.0_2026-05-12',
    TARGET_DOCKER_REGISTRY: 'target.example.com:5000',
    TARGET_DOCKER_REPOSITORY: 'b/arcdata',
    TARGET_DOCKER_USERNAME: 'writer',
    TARGET_DOCKER_PASSWORD: 'writer-password',
    TARGET_DOCKER_TAG: 'v1.46.0_2026-05-12'
  };

  it('say all that the script could be told', () => {
    expect(readInputs(environment({}, variables), new Memory())).toMatchObject({
      source: {
        registry: 'mirror.example.com',
        repository: 'a/arcdata',
        username: 'reader',
        password: 'reader-password'
      },
      tags: [{kind: 'exact', tag: 'v1.46.0_2026-05-12'}],
      target: {
        registry: 'target.example.com:5000',
        repository: 'b/arcdata',
        username: 'writer',
        password: 'writer-password'
      },
      targetTag: 'v1.46.0_2026-05-12'
    });
  });

  it('give way to inputs, and empty ones to defaults', () => {
    const log = new Memory();
    const given = environment(
      {'source-registry': 'input.example.com', 'target-password': 'input-password'},
      {...variables, SOURCE_DOCKER_REPOSITORY: '', SOURCE_DOCKER_TAG: '  '}
    );
    expect(readInputs(given, log)).toMatchObject({
      source: {registry: 'input.example.com', repository: 'arcdata'},
      tags: [{kind: 'latest'}],
      target: {password: 'input-password'}
    });
    // The one that lost is a secret all the same.
    expect(log.secrets).toEqual(expect.arrayContaining(['writer-password', 'input-password']));
  });

  it('are named by messages about them', () => {
    expect(mistakes({'source-registry': ''}, {SOURCE_DOCKER_REGISTRY: 'a b'})).toEqual([
      expect.stringContaining('source-registry (from SOURCE_DOCKER_REGISTRY): "a b" is not')
    ]);
  });

  it.each([
    ['SOURCE_DOCKER_REPO', 'SOURCE_DOCKER_REPOSITORY'],
    ['TARGET_DOCKER_USER', 'TARGET_DOCKER_USERNAME'],
    ['TARGET_DOCKER_REGISTY', 'TARGET_DOCKER_REGISTRY'],
    ['SOURCE_DOCKER_PASSWROD', 'SOURCE_DOCKER_PASSWORD'],
    ['SOURCE_DOCKER_QQQ', 'known are SOURCE_DOCKER_REGISTRY, SOURCE_DOCKER_REPOSITORY']
  ])('%s is told of, with %s', (name, meant) => {
    const log = new Memory();
    settings({}, {[name]: 'its-value'}, log);
    expect(log.warnings).toEqual([expect.stringMatching(new RegExp(`${name} is not.*${meant}`))]);
    expect(log.warnings.join('')).not.toContain('its-value');
  });

  it('know the misprint that names the registry twice', () => {
    expect(
      mistakes({'target-registry': '', 'target-repository': ''}, {TARGET_DOCKER_REGISTRY: 'acr.io'})
    ).toEqual([expect.stringContaining('where TARGET_DOCKER_REPOSITORY is meant')]);
  });
});

describe('in-unknown unknown inputs', () => {
  it.each([
    ['INPUT_REGSITRY', 'source-registry or target-registry'],
    ['INPUT_TARGET-REGSITRY', 'target-registry'],
    ['INPUT_SOURCE_TAG', 'source-tag'],
    ['INPUT_DRYRUN', 'dry-run'],
    ['INPUT_IMAGE', 'images'],
    ['INPUT_TARGET-PASWORD', 'target-password']
  ])('%s is told of, with %s', (name, meant) => {
    const log = new Memory();
    settings({}, {[name]: 'its-value'}, log);
    expect(log.warnings).toEqual([expect.stringMatching(new RegExp(`did you mean ${meant}\\?$`))]);
    expect(log.warnings.join('')).not.toContain('its-value');
    expect(log.secrets.includes('its-value')).toBe(name.includes('PASWORD'));
  });

  it('are told of when nothing is near, cleaned, and no more than twenty', () => {
    const log = new Memory();
    settings({}, {'INPUT_\n::ERROR::X': '1', INPUT_: 'no name'}, log);
    expect(log.warnings).toEqual(['There is no input ": :error::x", so it has no effect']);
    const many = Object.fromEntries(Array.from({length: 500}, (_, i) => [`INPUT_ZZZZ${i}`, '1']));
    settings({}, many, log);
    expect(log.warnings).toHaveLength(21);
  });

  it('are not looked for where the runner sets all inputs', () => {
    const log = new Memory();
    settings({}, {}, log);
    expect(log.warnings).toEqual([]);
  });
});

describe('in-registry the registry', () => {
  it.each([
    ['https://acr.io', 'acr.io'],
    ['acr.io/', 'acr.io'],
    [' acr.io\t', 'acr.io'],
    ['ACR.io', 'acr.io'],
    ['Acr.Azurecr.IO:443', 'acr.azurecr.io'],
    ['index.docker.io', 'docker.io'],
    ['[::1]:5000', '[::1]:5000'],
    ['1.2.3.4', '1.2.3.4'],
    ['localhost', 'localhost'],
    ['acr.io:65535', 'acr.io:65535'],
    ['xn--80ak6aa92e.com', 'xn--80ak6aa92e.com']
  ])('%j is %s', (value, registry) => {
    expect(settings({'target-registry': value}).target.registry).toBe(registry);
  });

  it('says what it made of one', () => {
    const log = new Memory();
    settings({'target-registry': 'https://ACR.io/'}, {}, log);
    expect(log.notices).toEqual(['target-registry: "https://ACR.io/" is taken as acr.io']);
  });

  it.each([
    ['http://acr.io', 'insecure-registries'],
    ['ftp://acr.io', 'https'],
    ['acr.io//', 'path'],
    ['acr.io/v2/', 'path'],
    ['acr .io', 'host'],
    ['acr\t.io', 'host'],
    ['acr.io:0', 'port'],
    ['acr.io:65536', 'port'],
    ['acr.io:abc', 'host'],
    ['acr.io?x', 'host'],
    ['acr.io#x', 'host'],
    ['acr.io\nX', 'one registry'],
    ['acr.io%00', 'host'],
    ['acr.io@evil', 'user name or password'],
    ['аcr.io', 'host'],
    ['acr.io\u202e', 'host'],
    ['acr.io\u0000', 'host'],
    ['🐳.io', 'host'],
    ['256.1.1.1', 'host'],
    ['-acr.io', 'host']
  ])('%j is refused: %s', (value, rule) => {
    expect(mistake('target-registry', value)).toContain(rule);
    expect(mistake('source-registry', value)).toContain(rule);
  });

  it.each([
    'user:Canary-1234@acr.io',
    'https://user:Canary-1234@acr.io',
    'user:Canary-1234/x@acr.io',
    'user:Canary-1234@x@acr.io',
    'acr.io@user:Canary-1234'
  ])('%s is refused unshown and masked', value => {
    const log = new Memory();
    const found = mistakes({'target-registry': value, 'insecure-registries': value}, {}, log);
    expect(found).toHaveLength(2);
    expect(found.join()).not.toContain('Canary');
    expect(found.join()).toContain('give those as inputs of their own');
    expect([...log.warnings, ...log.notices].join()).not.toContain('Canary');
  });

  it('masks what was pasted into it, in all forms', () => {
    const log = new Memory();
    mistakes({'target-registry': 'https://user:Canary%201234@acr.io'}, {}, log);
    expect(log.secrets).toEqual(
      expect.arrayContaining([
        'user:Canary%201234',
        'Canary%201234',
        'Canary 1234',
        Buffer.from('user:Canary%201234').toString('base64')
      ])
    );
  });

  it('may be spoken to over plain http where that is said', () => {
    const read = settings({
      'target-registry': 'http://localhost:5000',
      'insecure-registries': '# here\r\nLOCALHOST:5000\r\n\r\nhttp://10.0.0.1 # lab\n'
    });
    expect(read.target.registry).toBe('localhost:5000');
    expect(read.insecure).toEqual(new Set(['localhost:5000', '10.0.0.1']));
    expect(mistake('insecure-registries', 'a.example.com\nb c')).toContain(
      '"b c" is not a registry'
    );
  });
});

describe('in-repository spec-names the repository', () => {
  it.each(['arcdata', 'a/b/arcdata', 'a__b/arcdata', 'a-b.c_d/arcdata', ' arcdata '])(
    '%j is taken',
    value => {
      const log = new Memory();
      expect(settings({'target-repository': value}, {}, log).target.repository).toBe(value.trim());
      expect(log.notices).toEqual([]);
    }
  );

  it.each([
    ['Team/App', 'lower-case'],
    ['/a', 'letters'],
    ['a//b', 'letters'],
    ['a/', 'letters'],
    ['../a', 'letters'],
    ['a/../b', 'letters'],
    ['a..b', 'letters'],
    ['a___b', 'letters'],
    ['-a', 'letters'],
    ['.a', 'letters'],
    ['a b', 'letters'],
    ['a\nb', 'letters'],
    ['a:b', 'letters'],
    ['x'.repeat(256), '255'],
    ['x/'.repeat(112) + 'arcdata', '255'],
    ['0123456789abcdef'.repeat(4), 'image id'],
    ['acr.io/a@sha256:abc', 'only the path'],
    ['https://acr.io/a', 'only the path']
  ])('%j is refused: %s', (value, rule) => {
    expect(mistake('target-repository', value)).toContain(rule);
  });

  it('is notable when it does not end in arcdata', () => {
    const log = new Memory();
    settings({'target-repository': 'team/mirror'}, {}, log);
    expect(log.notices).toEqual([expect.stringContaining('"team/mirror" does not end in arcdata')]);
  });

  it('counts towards the length together with host and image', () => {
    const host = 'acr.io';
    const longest = 255 - `${host}//arc-monitor-opentelemetry-collector`.length;
    const repository = (length: number) => 'a'.repeat(length - '/arcdata'.length) + '/arcdata';
    expect(mistakes({'target-repository': repository(longest)})).toEqual([]);
    expect(mistake('target-repository', repository(longest + 1))).toContain('make 256 characters');
    const found = mistakes({'target-repository': repository(longest + 1), images: 'arc-dns'});
    expect(found).toEqual([]);
  });
});

describe('in-source-target source and target', () => {
  it.each<[Values]>([
    [{'target-registry': 'mcr.microsoft.com'}],
    [{'target-registry': 'MCR.Microsoft.com:443'}],
    [{'source-registry': 'docker.io', 'target-registry': 'https://registry-1.docker.io/'}],
    [{'source-registry': 'acr.io', 'source-tag': 'v1.46.0_2026-05-12', 'target-tag': 'other'}]
  ])('must not be the same: %j', values => {
    expect(mistakes(values)).toEqual([expect.stringContaining('source and target are the same')]);
  });

  it('may be two repositories of one registry', () => {
    expect(mistakes({'source-registry': 'acr.io', 'source-repository': 'b/arcdata'})).toEqual([]);
  });
});

describe('in-login logins', () => {
  const login = (username: string, password: string, log = new Memory()) =>
    settings({'target-username': username, 'target-password': password}, {}, log).target;

  it.each([
    ['target-username', 'target-password'],
    ['target-password', 'target-username'],
    ['source-username', 'source-password'],
    ['source-password', 'source-username']
  ] as const)('%s without %s is refused', (given, missing) => {
    expect(mistakes({[given]: 'Canary-1234'})).toEqual([
      expect.stringContaining(`[${missing}] ${missing}: is missing, since ${given} is given`)
    ]);
  });

  it('of nobody is nobody', () => {
    expect(login('', '')).toEqual({registry: 'acr.io', repository: 'arcdata'});
    expect(login(' ', '\n')).toEqual({registry: 'acr.io', repository: 'arcdata'});
  });

  it.each([
    'robot$a+b',
    '00000000-0000-0000-0000-000000000000',
    'AWS',
    'oauth2accesstoken',
    'José'
  ])('of %s is taken', name => {
    expect(login(name, 'p')).toMatchObject({username: name, password: 'p'});
  });

  it.each([
    ['user:Canary-1234', 'colon'],
    ['user\nname', 'line break'],
    ['u'.repeat(1025), '1025 characters']
  ])('of %j is refused: %s', (name, rule) => {
    const log = new Memory();
    const found = mistakes({'target-username': name, 'target-password': 'secret'}, {}, log);
    expect(found).toEqual([expect.stringContaining(rule)]);
    expect(found.join()).not.toContain('Canary');
    expect(log.secrets.includes('Canary-1234')).toBe(name.includes('Canary'));
  });

  it.each(['-p', '%0A', '::add-mask::x', '"$%\'\\ `', 'ünïcödé 🐳', ' blanks around '])(
    'with the password %j is taken as it is',
    password => {
      expect(login('user', password).password).toBe(password);
    }
  );

  it('with a password of 10 000 characters is taken', () => {
    expect(login('user', 'x'.repeat(10_000)).password).toHaveLength(10_000);
  });

  it.each(['\n', '\r\n', '\n\n'])('with %j behind the password is taken without', end => {
    const log = new Memory();
    expect(login('user', `Canary-1234${end}`, log).password).toBe('Canary-1234');
    expect(log.warnings).toEqual([
      'target-password: ends with a line end, which was taken off; store it without one'
    ]);
    expect(log.secrets).toEqual(
      expect.arrayContaining(['Canary-1234', Buffer.from('user:Canary-1234').toString('base64')])
    );
  });

  it.each(
    titled([
      ['Canary-1234\nCanary-5678', 'control character'],
      ['Canary-1234\rCanary-5678', 'control character'],
      ['Canary-1234\u0000', 'control character'],
      ['Canary-1234\u001b[2J', 'control character'],
      ['   ', 'blanks only'],
      [`Canary-1234${'x'.repeat(20_000)}`, '20011 characters'],
      [`Canary-1234${'x'.repeat(70_000)}`, '70011 bytes']
    ])
  )('with the password $title is refused unshown: $rule', ({value: password, rule}) => {
    const log = new Memory();
    const found = mistakes({'target-username': 'user', 'target-password': password}, {}, log);
    expect(found).toEqual([expect.stringContaining(rule)]);
    expect(found.join()).not.toContain('Canary');
    expect(log.secrets).toContain(password);
    expect(log.secrets.includes('Canary-5678')).toBe(password.includes('5678'));
  });
});

describe('in-tag target-tag', () => {
  it.each([
    '-a',
    '.a',
    'a'.repeat(129),
    'a b',
    'a:b',
    'a/b',
    'lätest',
    'latest\n',
    'v1\u202e',
    'a\nb'
  ])('%j is refused', value => {
    expect(mistake('target-tag', value)).toMatch(/ is not a tag|one tag is wanted/);
  });

  it('may have 128 characters', () => {
    expect(settings({'target-tag': 'a'.repeat(128)}).targetTag).toHaveLength(128);
  });

  it.each(['1.40..1.43', '1.40..', 'newest:3', 'catch-up', 'v1.45.0_2026-03-10\n1.46'])(
    'does not go with %j',
    tags => {
      expect(mistakes({'source-tag': tags, 'target-tag': 'mine'})).toEqual([
        expect.stringContaining('[target-tag] target-tag: "mine" can name one release only')
      ]);
    }
  );

  it.each(['latest', 'newest:1', '1.46', 'v1.46.0_2026-05-12', 'latest\nlatest'])(
    'goes with %j, with a warning',
    tag => {
      const log = new Memory();
      expect(settings({'source-tag': tag, 'target-tag': 'mine'}, {}, log).targetTag).toBe('mine');
      expect(log.warnings).toEqual([expect.stringContaining('Arc tools expect')]);
    }
  );

  it('is no matter when it is the same', () => {
    const log = new Memory();
    const tag = 'v1.46.0_2026-05-12';
    settings({'source-tag': tag, 'target-tag': tag}, {}, log);
    expect(log.warnings).toEqual([]);
  });
});

describe('in-tag in-digest source-tag', () => {
  it('is a list, with all that editors put in', () => {
    const text =
      '\ufeff# two releases\r\n  1.40..1.43  \r\n\r\nv1.46.0_2026-05-12 # newest\r\n1.40..1.43';
    expect(settings({'source-tag': text}).tags).toMatchObject([
      {kind: 'range', text: '1.40..1.43'},
      {kind: 'exact', tag: 'v1.46.0_2026-05-12'}
    ]);
  });

  it.each([
    '-a',
    'a b',
    'a/b',
    'lätest',
    'x'.repeat(129),
    'newest:0',
    '1.43..1.40',
    'sha256:abc',
    `v1.46.0_2026-05-12@sha256:${'a'.repeat(64)}`
  ])('%j is refused', value => {
    expect(mistake('source-tag', value)).toMatch(/^\[source-tag\] source-tag: "/);
  });

  it('tells the first few of many mistakes, and how many more there are', () => {
    const bad = Array.from({length: 900}, (_, i) => `bad tag ${i}`).join('\n');
    const found = mistakes({'source-tag': bad});
    expect(found).toHaveLength(6);
    expect(found.at(-1)).toContain('895 more lines that are wrong');
  });
});

describe('in-images images', () => {
  it.each<[string, unknown]>([
    ['arc-dns\narc-sqlmi', {kind: 'exactly', names: ['arc-dns', 'arc-sqlmi']}],
    ['arc-dns\n arc-dns ', {kind: 'exactly', names: ['arc-dns']}],
    ['+new\n-arc-dns\n+new', {kind: 'release-set', add: ['new'], remove: ['arc-dns']}],
    ['alpine', {kind: 'exactly', names: ['alpine']}],
    ['sub/arc-dns # x', {kind: 'exactly', names: ['sub/arc-dns']}]
  ])('%j is understood', (value, selection) => {
    expect(settings({images: value}).images).toEqual(selection);
  });

  it.each(
    titled([
      ['arc-dns\n-arc-sqlmi', 'either every name has'],
      ['+arc-dns\n-arc-dns', 'contradict'],
      ['- arc-dns', "YAML's dashes"],
      ['["arc-dns"]', 'is not the name of an image'],
      ['preview/arc-controller', 'leads to pre-release builds'],
      ['+mcr.microsoft.com/arcdata/arc-dns', 'without registry, tag'],
      ['Arc-DNS', 'lower-case'],
      ['arc-dns:v1', 'without registry, tag'],
      ['arc-dns#x', 'is not the name'],
      ['mcr.microsoft.com/arcdata/arc-dns:v1', 'without registry, tag'],
      ['../x', 'is not the name'],
      ['+', 'is not the name'],
      ['a\u202eb', 'is not the name'],
      [Array.from({length: 201}, (_, i) => `image-${i}`).join('\n'), 'names 201 images'],
      ['#\n'.repeat(10_000), '10000 lines'],
      ['x'.repeat(1_000_000), '1000000 bytes']
    ])
  )('$title is refused: $rule', ({value, rule}) => {
    expect(mistake('images', value)).toContain(rule);
  });
});

it('all that is wrong with images is told at once', () => {
  const told = mistakes({images: 'arc-dns\n+arc-sqlmi\n-arc-dns\nFoo:bar'}).join('\n');
  expect(told).toContain('"Foo:bar" is not the name of an image');
  expect(told).toContain('either every name has + or -');
});

it('all that is wrong with the address of a registry is told at once', () => {
  expect(mistake('target-registry', 'http://a.example/team')).toMatch(
    /"http:\/\/a\.example\/team" is not a registry: it holds a path; .*; and only https is spoken; .*insecure-registries$/
  );
  expect(mistake('target-registry', 'https://a.example/team')).not.toContain('only https');
});

it('an address to download docker from is not taken for a registry', () => {
  const told = mistake('docker-download-url', 'ftp://a.example/docker');
  expect(told).toContain('"ftp://a.example/docker" is not an address to download from: only https');
  expect(told).not.toContain('is not a registry');
});

describe('in-number concurrency and timeout', () => {
  const wrong = [
    '0',
    '-1',
    '1.5',
    '1e2',
    'abc',
    'NaN',
    'Infinity',
    '٣',
    '999999',
    '0x1',
    '+1',
    '01'
  ];

  it.each(wrong)('concurrency %j is refused', value => {
    expect(mistake('concurrency', value)).toContain('a whole number of transfers from 1 to 64');
  });

  it.each([...wrong, '10m', '2881'])('timeout %j is refused', value => {
    expect(mistake('timeout', value)).toContain('a whole number of minutes from 1 to 2880');
  });

  it.each([...wrong, '17'])('shards %j is refused', value => {
    expect(mistake('shards', value)).toContain('a whole number of shards from 1 to 16, such as 4');
  });

  it('are taken within their limits', () => {
    expect(settings({concurrency: ' 64 ', timeout: '2880', shards: '16'})).toMatchObject({
      concurrency: 64,
      shards: 16,
      timeout: 2880 * 60_000
    });
    expect(mistakes({concurrency: '65'})).toHaveLength(1);
    expect(settings({concurrency: ''}).concurrency).toBe(24);
  });
});

describe('in-boolean booleans', () => {
  it.each([
    ['true', true],
    ['True', true],
    ['TRUE', true],
    ['false', false],
    ['False', false],
    ['FALSE', false]
  ])('%s is understood', (value, meant) => {
    expect(settings({'dry-run': value, publish: value, 'keep-login': value})).toMatchObject({
      dryRun: meant,
      publish: meant,
      keepLogin: meant
    });
  });

  it.each(['yes', 'no', 'on', '1', '0', 'maybe', 'tRUE', 'true\nfalse'])('%j is refused', value => {
    expect(mistake('dry-run', value)).toContain('is not a boolean; write true or false');
  });
});

describe('the engine', () => {
  it.each<[InputName, string]>([
    ['publish', 'false'],
    ['referrers', 'true'],
    ['chart', 'TRUE']
  ])('docker would lose what %s: %s asks for, and says so', (name, value) => {
    expect(mistakes({engine: 'docker', [name]: value})).toEqual([
      expect.stringContaining(`[${name}] ${name}: cannot be had with engine: docker`)
    ]);
    expect(settings({[name]: value}).engine).toBe('registry');
  });

  it.each(['arc-dns\narcdataservices-extension', '+arcdataservices-extension'])(
    'carries no chart either that is named in images: %j',
    images => {
      expect(mistakes({engine: 'docker', images})).toEqual([
        expect.stringContaining('arcdataservices-extension cannot be had with engine: docker')
      ]);
      expect(mistakes({images})).toEqual([]);
    }
  );

  it('wants one account for one registry, where docker keeps it', () => {
    const both = {
      'source-registry': 'r.example',
      'target-registry': 'r.example',
      'target-repository': 'mirror/arcdata'
    };
    const own = (side: 'source' | 'target', name: string) => ({
      [`${side}-username`]: name,
      [`${side}-password`]: `canary-of-${name}`
    });
    const two = {...both, ...own('source', 'one'), ...own('target', 'two')};
    const said = (what: string) => [
      expect.stringContaining(
        `[source-username] source-username: source and target are both at r.example, with two accounts; docker keeps one for each registry, so ${what} wants the same on both sides`
      )
    ];
    expect(mistakes({...two, engine: 'docker'})).toEqual(said('engine: docker'));
    expect(mistakes({...two, 'keep-login': 'true'})).toEqual(said('keep-login'));
    for (const fine of [
      two,
      {...two, ...own('source', 'two'), engine: 'docker'},
      {...two, 'source-registry': 's.example', engine: 'docker'},
      {...both, ...own('target', 'two'), engine: 'docker'}
    ])
      expect(mistakes(fine)).toEqual([]);
    const password = {...two, ...own('source', 'two'), 'source-password': 'canary-another'};
    expect(mistakes({...password, engine: 'docker'})).toEqual(said('engine: docker'));
  });

  it('is docker where that is asked for', () => {
    expect(settings({engine: 'docker'}).engine).toBe('docker');
  });

  it('has two names', () => {
    expect(mistake('engine', 'podman')).toContain(
      '"podman" is not known; write registry or docker'
    );
  });
});

describe('lists', () => {
  it('may have commas between, as in the one line that a form has', () => {
    const {tags, images, insecure} = settings({
      'source-tag': '1.45,1.46, catch-up # a, b',
      images: 'arc-dns, arc-sqlmi,',
      'insecure-registries': 'a.lan:5000,b.lan'
    });
    expect(tags.map(({text}) => text)).toEqual(['1.45', '1.46', 'catch-up']);
    expect(images).toEqual({kind: 'exactly', names: ['arc-dns', 'arc-sqlmi']});
    expect([...insecure]).toEqual(['a.lan:5000', 'b.lan']);
  });
});

describe('in-file ca-file', () => {
  it('does not follow a link out of the workspace, and shows no key that was pasted', async () => {
    await writeFile(join(home, 'elsewhere.pem'), 'text');
    await symlink(join(home, 'elsewhere.pem'), join(workspace, 'stray.pem'));
    expect(mistake('ca-file', 'stray.pem')).toContain('leads out of the workspace');
    const pasted = mistake('ca-file', '-----BEGIN PRIVATE KEY-----Canary-1234');
    expect(pasted).toContain('the path of a file is wanted');
    expect(pasted).not.toContain('Canary');
  });

  it.each(['ca.pem', './folder/../ca.pem', 'link.pem'])('%s is read', file => {
    const read = settings({'ca-file': file});
    expect(read.ca).toBe(`${certificate}\n${certificate}\n`);
    expect(read.caFile).toBe(join(workspace, file));
  });

  it('may lie anywhere when its path is absolute', () => {
    expect(settings({'ca-file': join(home, 'outside.pem')}).ca).toBe(`${certificate}\n`);
  });

  it('is relative to the current folder outside a job', () => {
    const log = new Memory();
    const given = givenBy('flag', {...enough, 'ca-file': '../nowhere.pem'});
    expect(() => readSettings(given, log, {RUNNER_TEMP: home})).toThrow(
      /nowhere.pem" does not exist/
    );
  });

  it.each(
    titled([
      ['missing.pem', 'does not exist'],
      ['folder', 'is not a regular file'],
      ['pipe', 'is not a regular file'],
      ['/dev/zero', 'is not a regular file'],
      ['loop.pem', 'ELOOP'],
      ['ca.pem/x', 'ENOTDIR'],
      ['der.cer', 'holds no PEM certificate'],
      ['empty.pem', 'is empty'],
      ['cut.pem', 'certificate 1 cannot be read'],
      ['large.pem', 'more than 1048576 bytes'],
      ['../outside.pem', 'leads out of the workspace'],
      ['a\nb', 'line break'],
      ['a\u0000b', 'control character'],
      ['x'.repeat(5000), 'ENAMETOOLONG']
    ])
  )('$title is refused: $rule', ({value: file, rule}) => {
    expect(mistake('ca-file', file)).toContain(rule);
  });

  it('may hold certificates that have ended, with a warning', () => {
    jest.useFakeTimers({now: new Date('2200-01-01')});
    const log = new Memory();
    settings({'ca-file': join(home, 'outside.pem')}, {}, log);
    expect(log.warnings).toEqual([
      expect.stringMatching(/^ca-file: "CN=Test authority" ended on Oct 29 .* 2126 GMT$/)
    ]);
  });
});

describe('in-file lock-file', () => {
  it.each([
    ['mirror.json', 'mirror.json'],
    ['folder/mirror.json', 'folder/mirror.json'],
    ['ca.pem', 'ca.pem'],
    ['near/mirror.json', 'near/mirror.json'],
    ['..mirror.json', '..mirror.json']
  ])('%s lies in the workspace', (file, path) => {
    expect(settings({'lock-file': file}).lockFile).toBe(join(workspace, path));
  });

  it.each([
    ['folder', 'is not a file but a folder'],
    ['pipe', 'device or pipe'],
    ['/dev/null', 'where the system has its devices'],
    ['/dev/stdout', 'where the system has its devices'],
    ['nowhere/mirror.json', 'folder that does not exist'],
    ['ca.pem/mirror.json', 'no folder'],
    ...(process.platform === 'linux'
      ? ([['/proc/mirror.json', 'where the system has its devices']] as const)
      : []),
    ['loop.pem', 'cannot be looked at (ELOOP)'],
    ['../mirror.json', 'leads out of the workspace'],
    ['away/mirror.json', 'leads out of the workspace'],
    ['a\nb', 'line break']
  ])('%j is refused: %s', (file, rule) => {
    expect(mistake('lock-file', file)).toContain(rule);
  });

  it('needs the temporary folder when it is not given', () => {
    for (const [place, rule] of [
      ['gone', 'gone", does not exist'],
      ['outside.pem', 'outside.pem", is no folder']
    ] as const) {
      expect(mistakes({}, {RUNNER_TEMP: join(home, place)})).toEqual([
        expect.stringMatching(`^.*\\[lock-file\\].*none is given.*${rule}.*RUNNER_TEMP.*TMPDIR`)
      ]);
    }
  });
});

describe('docker', () => {
  const sha256 = 'AB'.repeat(32);

  it('is chosen by version and checksum', () => {
    expect(
      settings({
        'docker-version': 'v29.6.2',
        'docker-sha256': sha256,
        'docker-download-url': 'https://files.example.com/docker/'
      })
    ).toMatchObject({
      dockerPin: {version: '29.6.2', sha256: sha256.toLowerCase()},
      dockerDownloadUrl: 'https://files.example.com/docker'
    });
  });

  it('may come over plain http only from hosts that are named', () => {
    const url = 'http://files.lan:8080';
    expect(mistake('docker-download-url', url)).toContain('insecure-registries');
    expect(
      settings({'docker-download-url': url, 'insecure-registries': 'files.lan:8080'})
    ).toMatchObject({dockerDownloadUrl: url});
  });

  it.each<[Values, string]>([
    [{'docker-version': '29.6.2'}, '[docker-sha256] docker-sha256: is missing'],
    [{'docker-sha256': sha256}, '[docker-version] docker-version: is missing'],
    [{'docker-version': 'latest', 'docker-sha256': sha256}, 'not a version of docker'],
    [{'docker-version': '29.6.2', 'docker-sha256': sha256.slice(1)}, 'not a SHA-256'],
    [{'docker-version': '29.6.2', 'docker-sha256': `${sha256.slice(1)}g`}, 'not a SHA-256'],
    [{'docker-download-url': 'files.example.com'}, 'not a plain address'],
    [{'docker-download-url': 'file:///etc'}, 'is not an address to download from'],
    [{'docker-download-url': 'https://a.example.com/?x'}, 'not a plain address'],
    [{'docker-download-url': 'https://u:Canary-1234@a.example.com'}, 'user name or password']
  ])('%j is refused: %s', (values, rule) => {
    const found = mistakes(values);
    expect(found).toEqual([expect.stringContaining(rule)]);
    expect(found.join()).not.toContain('Canary');
  });
});

describe('in-any all together', () => {
  const canaries = ['Canary-"1"-$-%-é', "Canary-2'::add-mask::x"];
  const everythingWrong: Values = {
    'source-registry': `user:${canaries[0] ?? ''}@acr.io`,
    'source-repository': 'Team/App',
    'source-username': 'user:name',
    'source-password': `${canaries[0] ?? ''}\n${canaries[1] ?? ''}`,
    'source-tag': `bad tag\n${canaries[1] ?? ''}`,
    'target-registry': `${'x'.repeat(100)} ${canaries[1] ?? ''}`,
    'target-repository': canaries[1] ?? '',
    'target-username': canaries[1] ?? '',
    'target-password': `${canaries[1] ?? ''}\nsecond line`,
    'target-tag': canaries[1] ?? '',
    images: `arc-dns\n-arc-dns\n${canaries[1] ?? ''}`,
    engine: canaries[1] ?? '',
    concurrency: canaries[1] ?? '',
    timeout: '10m',
    'dry-run': 'maybe',
    publish: 'yes',
    shards: '17',
    referrers: 'maybe',
    chart: 'maybe',
    'ca-file': canaries[1] ?? '',
    'insecure-registries': `a b\n${canaries[1] ?? ''}`,
    'keep-login': '1',
    'lock-file': `nowhere/${canaries[1] ?? ''}`,
    'docker-version': 'x',
    'docker-sha256': 'y',
    'docker-download-url': `https://u:${canaries[1] ?? ''}@a.example.com`
  };

  function thrown(values: Values, log: Memory): InputError {
    try {
      settings(values, {}, log);
    } catch (error) {
      if (error instanceof InputError) return error;
      throw error;
    }
    throw new Error('nothing was refused');
  }

  it('tells every mistake at once, each input by its name', () => {
    const error = thrown(everythingWrong, new Memory());
    const named = new Set(error.problems.map(({input}) => input));
    expect([...named].sort()).toEqual(inputTable.map(({name}) => name).sort());
    expect(error.message.split('\n')).toHaveLength(1 + error.problems.length);
    expect(error.message).toMatch(/^The inputs hold \d+ mistakes; nothing was sent anywhere\.\n- /);
    for (const {message} of error.problems) expect(error.message).toContain(`\n- ${message}`);
  });

  it('never shows a password or a part of one, whichever input it strays into', () => {
    const log = new Memory();
    const error = thrown(everythingWrong, log);
    const said = [
      inspect(error, {depth: Infinity, showHidden: true}),
      String(error.stack),
      JSON.stringify(error),
      ...log.warnings,
      ...log.notices
    ].join('\n');
    expect(said).not.toContain('Canary');
    expect(error.cause).toBeUndefined();
    expect(log.secrets).toEqual(expect.arrayContaining(canaries));
  });

  it('holds nothing that the runner or a terminal would obey', () => {
    const hostile = 'x\n::add-mask::a\n##[set-output name=digest]evil\r\u001b[2J\u202e';
    const values = Object.fromEntries(inputTable.map(({name}) => [name, hostile])) as Partial<
      Record<InputName, string>
    >;
    const log = new Memory();
    const {message} = thrown(values, log);
    expect(message).not.toContain('##[');
    // eslint-disable-next-line no-control-regex -- control characters are what this is about
    expect(message).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    for (const line of [...message.split('\n'), ...log.warnings, ...log.notices]) {
      expect(line).not.toMatch(/^\s*::/);
    }
  });

  it('stays short, however much was given', () => {
    const values = Object.fromEntries(
      inputTable.map(({name}) => [name, '\u001b['.repeat(20_000)])
    ) as Partial<Record<InputName, string>>;
    expect(thrown(values, new Memory()).message.length).toBeLessThan(20_000);
  });

  it.each(['x', '\n', ' ', '@', ':', '/', '-', '#', 'a@', '//', 'a.'])(
    'is judged soon, also when it is %j over and over',
    piece => {
      const long = `${piece.repeat(60_000 / piece.length)}x`;
      const began = performance.now();
      mistakes(Object.fromEntries(inputTable.map(({name}) => [name, long])));
      expect(performance.now() - began).toBeLessThan(2_000);
    }
  );

  it('says the one mistake when there is one', () => {
    expect(thrown({timeout: '0'}, new Memory()).message).toBe(
      'The inputs hold one mistake; nothing was sent anywhere.\n- timeout: "0" is not a whole number of minutes from 1 to 2880, such as 180'
    );
  });
});

describe('values from a command line', () => {
  it('are held to the same rules, under the names of the flags', () => {
    const given = combine(
      givenBy('flag', {'target-registry': 'a b', timeout: ''}),
      readVariables({TARGET_DOCKER_REPOSITORY: 'B'}, new Memory())
    );
    expect(() => readSettings(given, new Memory(), {RUNNER_TEMP: home})).toThrow(
      /\n- --target-registry: "a b" .*\n- target-repository \(from TARGET_DOCKER_REPOSITORY\): "B" /
    );
  });

  it('earlier ones beat later ones, empty ones none', () => {
    const a: GivenValue = {value: 'a', origin: 'flag'};
    const b: GivenValue = {value: 'b', origin: 'variable'};
    const empty: GivenValue = {value: ' ', origin: 'flag'};
    expect(combine(new Map([['images', a]]), new Map([['images', b]])).get('images')).toBe(a);
    expect(combine(new Map([['images', empty]]), new Map([['images', b]])).get('images')).toBe(b);
    const blank: GivenValue = {value: ' ', origin: 'flag'};
    expect(
      combine(new Map([['target-password', blank]]), new Map([['target-password', b]])).get(
        'target-password'
      )
    ).toBe(blank);
  });
});

describe('names', () => {
  it('are near when a few letters differ, never when nothing fits', () => {
    const names = inputTable.map(({name}) => name);
    expect(nearest('timout', names)).toEqual(['timeout']);
    expect(nearest('repo', names)).toEqual([]);
    expect(nearest('repository', names)).toEqual(['source-repository', 'target-repository']);
    expect(nearest('xyzzy', names)).toEqual([]);
    expect(nearest('', names)).toEqual([]);
    expect(isInputName('timeout')).toBe(true);
    expect(isInputName('toString')).toBe(false);
  });
});
