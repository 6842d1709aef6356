/** What a request is about. A POST that asks for a mount is `mount`, not `upload`. */
export type Kind =
  | 'ping'
  | 'manifest'
  | 'blob'
  | 'upload'
  | 'mount'
  | 'tags'
  | 'catalog'
  | 'referrers'
  | 'token'
  | 'other';

/** A request, taken apart. */
export interface Route {
  readonly kind: Kind;
  /** Decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly repository?: string;
  /** Of a manifest, blob or referrers request by digest, and of a mount or a commit. */
  readonly digest?: string;
  readonly tag?: string;
  /** The id of an upload session. */
  readonly session?: string;
}

const shapes: readonly [Kind, RegExp][] = [
  ['ping', /^\/v2\/?$/],
  ['token', /^\/token$/],
  ['catalog', /^\/v2\/_catalog$/],
  ['tags', /^\/v2\/(?<repository>.+)\/tags\/list$/],
  ['manifest', /^\/v2\/(?<repository>.+)\/manifests\/(?<reference>[^/]+)$/],
  ['upload', /^\/v2\/(?<repository>.+)\/blobs\/uploads(?:\/(?<session>[^/]*))?$/],
  ['upload', /^\/artifacts-uploads\/(?<repository>.+)\/uploads\/(?<session>[^/]+)$/],
  ['blob', /^\/v2\/(?<repository>.+)\/blobs\/(?<reference>[^/]+)$/],
  ['referrers', /^\/v2\/(?<repository>.+)\/referrers\/(?<reference>[^/]+)$/]
];

/** Takes the target of a request apart. What fits nothing is `other`. */
export function routeOf(method: string, target: string): Route {
  const cut = target.indexOf('?');
  const path = decode(cut < 0 ? target : target.slice(0, cut));
  const query = new URLSearchParams(cut < 0 ? '' : target.slice(cut + 1));
  for (const [kind, shape] of shapes) {
    const groups = shape.exec(path)?.groups;
    if (groups === undefined && !shape.test(path)) continue;
    const {repository, reference, session} = groups ?? {};
    const mount = kind === 'upload' && method === 'POST' ? query.get('mount') : null;
    const digest =
      mount ?? (reference?.includes(':') ? reference : (query.get('digest') ?? undefined));
    return {
      kind: mount === null ? kind : 'mount',
      path,
      query,
      ...(repository !== undefined && {repository}),
      ...(digest !== undefined && {digest}),
      ...(reference !== undefined && !reference.includes(':') && {tag: reference}),
      ...(session !== undefined && session !== '' && {session})
    };
  }
  return {kind: 'other', path, query};
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
