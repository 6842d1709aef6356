/**
 * How the URL of an upload session is given: as the registry's own whole URL, as a path, with
 * further query parameters that must come back, relative to the directory of the request, at
 * another host, over plain http at the same host, not at all, as something that is no URL, or in
 * a place of its own apart from /v2/.
 */
export type LocationMode =
  | 'absolute'
  | 'relative'
  | 'query'
  | 'no-slash'
  | 'other-host'
  | 'http'
  | 'missing'
  | 'garbage'
  | 'elsewhere';

/** Where a session is to be found, and how that is asked for. */
export interface LocationParts {
  /** Scheme, host and port as the client sees them. */
  readonly origin: string;
  readonly repository: string;
  readonly session: string;
  readonly state: string;
  /** The path that the client has just asked for. */
  readonly requested: string;
  /** For `other-host`: `host:port`, or an origin. */
  readonly host?: string | undefined;
}

/** What a client must send back unchanged when the mode is `query`. */
export const keptParameter = {name: 'X-Keep', value: 'a b&c=/+%'};

/** The Location of an upload session; undefined when there is to be none. */
export function locationOf(mode: LocationMode, parts: LocationParts): string | undefined {
  const state = `_state=${encodeURIComponent(parts.state)}`;
  const path = `/v2/${parts.repository}/blobs/uploads/${parts.session}`;
  switch (mode) {
    case 'absolute':
      return `${parts.origin}${path}?${state}`;
    case 'relative':
      return `${path}?${state}`;
    case 'query':
      return `${parts.origin}${path}?${keptParameter.name}=${encodeURIComponent(keptParameter.value)}&${state}`;
    case 'no-slash': {
      const directory = parts.requested.endsWith('/uploads') ? 'uploads/' : '';
      return `${directory}${parts.session}?${state}`;
    }
    case 'other-host': {
      const host = parts.host ?? 'registry.invalid';
      return `${host.includes('://') ? host : `http://${host}`}${path}?${state}`;
    }
    case 'http':
      return `${parts.origin.replace(/^https:/, 'http:')}${path}?${state}`;
    case 'elsewhere':
      return `${parts.origin}/artifacts-uploads/${parts.repository}/uploads/${parts.session}?${state}`;
    case 'garbage':
      return 'http://[not a url%%%';
    case 'missing':
      return undefined;
  }
}
