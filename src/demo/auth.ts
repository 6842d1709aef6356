import {randomBytes} from 'node:crypto';

import type {Desk} from './desk.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import type {Character} from './profiles.ts';

/** Who may do what at a registry. */
export interface AuthOptions {
  readonly kind: 'basic' | 'bearer';
  readonly username: string;
  readonly password: string;
  /** A refresh token that the token endpoint takes by POST in place of the password. */
  readonly identityToken?: string;
  /** Whether everybody may read. */
  readonly anonymousPull?: boolean;
  /** Seconds; default that of the profile. */
  readonly tokenLifetime?: number;
}

interface Token {
  readonly grants: ReadonlySet<string>;
  readonly until: number;
  readonly anonymous: boolean;
}

/**
 * The registry's door: checks credentials and tokens, and gives tokens out.
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export class Gate {
  readonly #options: AuthOptions | undefined;
  readonly #now: () => number;
  readonly #character: Character;
  readonly #tokens = new Map<string, Token>();
  readonly #introduced = new Set<string>();

  constructor(options: AuthOptions | undefined, now: () => number, character: Character) {
    this.#options = options;
    this.#now = now;
    this.#character = character;
  }

  /** Makes every token worthless. */
  revoke(): void {
    this.#tokens.clear();
  }

  /**
   * Lets a request through.
   * @throws DemoError 401 with a challenge, or 403 where the registry answers so
   */
  check(exchange: Exchange): void {
    if (this.#options === undefined) return;
    const [scheme = '', credentials = ''] = split(exchange.header('Authorization') ?? '');
    const wanted = scopesOf(exchange, this.#character);
    if (this.#options.kind === 'basic') {
      if (scheme === 'basic' && this.#knows(credentials)) return;
      const reads = exchange.method === 'GET' || exchange.method === 'HEAD';
      if (scheme === '' && this.#options.anonymousPull === true && reads) return;
      throw this.#unauthorized(exchange);
    }
    const token = scheme === 'bearer' ? this.#tokens.get(credentials) : undefined;
    if (token === undefined || token.until <= this.#now()) throw this.#unauthorized(exchange);
    if (wanted.every(scope => token.grants.has(scope))) return;
    if (token.anonymous && this.#character.anonymousPush === 403) {
      throw new DemoError(403, 'DENIED', 'permission_denied: the token does not match the scopes');
    }
    throw this.#unauthorized(exchange, 'insufficient_scope');
  }

  /** The WWW-Authenticate for a request; undefined at an open registry. */
  challenge(exchange: Exchange, error?: string): string | undefined {
    if (this.#options === undefined) return undefined;
    if (this.#options.kind === 'basic') return 'Basic realm="embedded registry"';
    const scope = challengeScope(exchange, this.#character);
    return [
      `Bearer realm="${exchange.origin}/token"`,
      `service="${new URL(exchange.origin).host}"`,
      ...(scope === '' ? [] : [`scope="${scope}"`]),
      ...(error === undefined ? [] : [`error="${error}"`])
    ].join(',');
  }

  /** The token endpoint: GET with Basic credentials or none, POST with a form. */
  async serveToken(desk: Desk, exchange: Exchange): Promise<void> {
    if (this.#options?.kind !== 'bearer') {
      throw new DemoError(404, 'UNSUPPORTED', 'this registry gives no tokens');
    }
    const form = await this.#form(exchange);
    const known = form === undefined ? this.#basic(exchange) : this.#granted(form);
    if (known === false || (known === undefined && this.#options.anonymousPull !== true)) {
      throw new DemoError(401, 'UNAUTHORIZED', 'incorrect username or password', {
        headers: {'WWW-Authenticate': 'Basic realm="token"'}
      });
    }
    const scopes = (form ?? exchange.route.query).getAll('scope').flatMap(text => text.split(' '));
    const lifetime = this.#options.tokenLifetime ?? this.#character.tokenLifetime;
    const token = this.#issue(scopes, known === undefined, lifetime, desk);
    const fields: Record<string, unknown> = {
      ...(form === undefined && {token}),
      access_token: token,
      expires_in: lifetime,
      issued_at: new Date().toISOString(),
      ...exchange.effect('token')?.fields
    };
    const kept = Object.entries(fields)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [
        name,
        typeof value === 'string' ? value.replaceAll('{token}', token) : value
      ]);
    await exchange.answer(200, {'Cache-Control': 'no-store'}, {json: Object.fromEntries(kept)});
  }

  #issue(scopes: readonly string[], anonymous: boolean, lifetime: number, desk: Desk): string {
    const token = randomBytes(48).toString('base64url');
    const grants = new Set<string>();
    for (const scope of scopes) {
      const first = scope.indexOf(':');
      const last = scope.lastIndexOf(':');
      if (first < 0 || first === last) continue;
      const type = scope.slice(0, first);
      const name = scope.slice(first + 1, last);
      const actions = scope.slice(last + 1);
      for (const action of actions.split(',')) {
        if (anonymous && (type !== 'repository' || action !== 'pull')) continue;
        if (action === 'push' && !this.#pushable(name, desk)) continue;
        grants.add(`${type}:${name}:${action}`);
      }
      this.#introduced.add(name);
    }
    this.#tokens.set(token, {grants, until: this.#now() + lifetime * 1000, anonymous});
    return token;
  }

  #pushable(name: string, {store}: Desk): boolean {
    return this.#character.firstPush === 'granted' || store.has(name) || this.#introduced.has(name);
  }

  async #form(exchange: Exchange): Promise<URLSearchParams | undefined> {
    if (exchange.method === 'GET') return undefined;
    const body = await exchange.receiveAll(64 * 1024);
    if (exchange.method !== 'POST') throw new DemoError(405, 'UNSUPPORTED', 'GET or POST');
    if (this.#character.tokenPost !== 200) {
      throw new DemoError(this.#character.tokenPost, 'UNSUPPORTED', 'tokens are not given by POST');
    }
    return new URLSearchParams(body.toString('utf8'));
  }

  /** True when the credentials are right, false when wrong, undefined when there are none. */
  #basic(exchange: Exchange): boolean | undefined {
    const header = exchange.header('Authorization');
    if (header === undefined) return undefined;
    const [scheme, credentials = ''] = split(header);
    return scheme === 'basic' && this.#knows(credentials);
  }

  #granted(form: URLSearchParams): boolean {
    const {username, password, identityToken} = this.#options ?? {};
    if (form.get('grant_type') === 'refresh_token') {
      return identityToken !== undefined && form.get('refresh_token') === identityToken;
    }
    return form.get('username') === username && form.get('password') === password;
  }

  #knows(credentials: string): boolean {
    const {username, password} = this.#options ?? {};
    return (
      Buffer.from(credentials, 'base64').toString('utf8') === `${username ?? ''}:${password ?? ''}`
    );
  }

  #unauthorized(exchange: Exchange, error?: string): DemoError {
    const challenge = this.challenge(exchange, error);
    return new DemoError(401, 'UNAUTHORIZED', 'authentication required', {
      ...(challenge !== undefined && {headers: {'WWW-Authenticate': challenge}})
    });
  }
}

function split(header: string): readonly string[] {
  const cut = header.indexOf(' ');
  if (cut < 0) return header === '' ? [] : [header.toLowerCase()];
  return [header.slice(0, cut).toLowerCase(), header.slice(cut + 1).trim()];
}

/** The single rights a request needs, as `repository:name:pull`. */
function scopesOf(exchange: Exchange, character: Character): readonly string[] {
  return challengeScope(exchange, character)
    .split(' ')
    .filter(scope => scope !== '')
    .flatMap(scope => {
      const cut = scope.lastIndexOf(':');
      const actions = scope.slice(cut + 1).split(',');
      return actions.map(action => `${scope.slice(0, cut)}:${action}`);
    });
}

function challengeScope({route, method}: Exchange, {cancelRight}: Character): string {
  const {kind, repository, query} = route;
  if (kind === 'catalog') return 'registry:catalog:*';
  if (repository === undefined) return '';
  const reads = method === 'GET' || method === 'HEAD';
  const uploads = kind === 'upload' || kind === 'mount';
  const deletes = uploads ? cancelRight : 'delete';
  const actions = method === 'DELETE' ? deletes : uploads || !reads ? 'pull,push' : 'pull';
  const from = kind === 'mount' ? query.get('from') : null;
  return [
    `repository:${repository}:${actions}`,
    ...(from === null ? [] : [`repository:${from}:pull`])
  ].join(' ');
}
