import {userPass} from '../user-pass.ts';
import {type Challenge, parseChallenges} from './challenge.ts';
import type {FoundCredentials} from './credentials.ts';
import {RegistryError} from './error.ts';
import {fetchToken, type Scope, type Token, type TokenContext} from './token.ts';

/** A repository and what is to be done there. */
export interface Need {
  readonly repository: string;
  readonly actions: 'pull' | 'pull,push' | 'delete';
}

/**
 * The credentials of one registry, kept to its origin: it learns from challenges what is asked for,
 * and keeps one token per set of repositories, since some registries refuse large ones.
 */
export class Authorizer {
  readonly #context: TokenContext;
  readonly #tokens = new Map<string, Token>();
  readonly #asking = new Map<string, Promise<Token>>();
  #challenge: Challenge | undefined;

  constructor(context: TokenContext) {
    this.#context = context;
  }

  get credentials(): FoundCredentials {
    return this.#context.credentials;
  }

  /** The header for a request that needs this, or none where nothing has been asked for yet. */
  async header(needs: readonly Need[], signal: AbortSignal): Promise<string | undefined> {
    const {credentials} = this.#context;
    if (this.#challenge === undefined) return undefined;
    if (this.#challenge.scheme === 'basic') {
      return credentials.kind === 'password' ? `Basic ${userPass(credentials)}` : undefined;
    }
    const token = await this.#token(scopesOf(needs), signal);
    return `Bearer ${token.value}`;
  }

  /**
   * Takes in the `WWW-Authenticate` of a 401 and forgets the token that was refused, so that
   * `header` answers with something new.
   * @param refused the header that was answered so; a token that came since is not forgotten
   * @returns whether another try has a point
   * @throws RegistryError when nothing that is asked for can be given
   */
  challenged(
    header: string | undefined,
    needs: readonly Need[],
    refused: string | undefined
  ): boolean {
    const {origin, credentials} = this.#context;
    const known = parseChallenges(header ?? '');
    const chosen =
      known.find(({scheme, parameters}) => scheme === 'bearer' && parameters.has('realm')) ??
      known.find(({scheme}) => scheme === 'basic') ??
      // After a first challenge, a bare 401 speaks of the token: another one may do.
      (this.#challenge?.scheme === 'bearer' ? this.#challenge : undefined);
    if (chosen === undefined) {
      const asked = known.map(({scheme}) => scheme).join(', ');
      throw new RegistryError(
        'unauthorized',
        `${origin.host} answers 401 and ${asked === '' ? 'does not say how to sign in' : `asks for ${asked}, which is not spoken here`}`,
        {
          host: origin.host,
          status: 401,
          advice: 'Basic and Bearer are understood; check what stands in front of the registry.'
        }
      );
    }
    // Harbor asks for Basic wherever a token is refused, and of its catalogue in any case: where there is
    // no password, only another token may do.
    // https://github.com/goharbor/harbor/blob/main/src/server/middleware/v2auth/auth.go
    const another = chosen.scheme === 'basic' && this.#challenge?.scheme === 'bearer';
    if (!another || credentials.kind === 'password') {
      this.#challenge = chosen;
      if (chosen.scheme === 'basic')
        return credentials.kind === 'password' && refused?.startsWith('Basic ') !== true;
    }
    this.#forget(needs, refused);
    return true;
  }

  /** Forgets a token that was refused, if that is the one that is kept. */
  #forget(needs: readonly Need[], refused: string | undefined): void {
    const key = scopesOf(needs).join(' ');
    const kept = this.#tokens.get(key);
    if (kept !== undefined && `Bearer ${kept.value}` === refused) this.#tokens.delete(key);
  }

  /** Signed in with what was given, or without: in words for a message. */
  get used(): string {
    const {credentials} = this.#context;
    return credentials.kind === 'anonymous'
      ? 'no credentials were used'
      : `the credentials from ${credentials.from} were used`;
  }

  async #token(scopes: readonly Scope[], signal: AbortSignal): Promise<Token> {
    const {transport} = this.#context;
    const key = scopes.join(' ');
    const kept = this.#tokens.get(key);
    if (kept !== undefined && kept.until > transport.clock.now()) return kept;
    const asking = this.#asking.get(key);
    if (asking !== undefined) {
      try {
        return await asking;
      } catch (error) {
        // Whoever asked has given up, which is nobody else's failure.
        if (error instanceof RegistryError) throw error;
        signal.throwIfAborted();
        return await this.#token(scopes, signal);
      }
    }
    if (this.#challenge === undefined) throw new TypeError('no challenge yet');
    const asked = fetchToken(this.#challenge, scopes, this.#context, signal)
      .then(token => {
        this.#tokens.set(key, token);
        return token;
      })
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }
}

function scopesOf(needs: readonly Need[]): readonly Scope[] {
  return needs.map(({repository, actions}) =>
    repository === '' ? 'registry:catalog:*' : `repository:${repository}:${actions}`
  );
}
