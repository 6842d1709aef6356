import {type IncomingHttpHeaders, request as plain} from 'node:http';
import {request as secure} from 'node:https';

/** What came back: all of it, or what came before the connection broke. */
export interface Reply {
  /** 0 when nothing came. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The code of the error that ended it, such as `ECONNRESET`. */
  readonly error?: string;
}

/** What to send. */
export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Send the body without Content-Length. */
  readonly chunked?: boolean;
  /** Send only so many bytes of the body, then break the connection. */
  readonly breakAfter?: number;
  /** Give up after so many milliseconds. */
  readonly patience?: number;
  readonly ca?: string;
}

/** One request with nothing but Node: no retry, no redirect, no sign-in. */
export async function ask(url: string, question: Question = {}): Promise<Reply> {
  const {method = 'GET', body, chunked, breakAfter, patience, ca} = question;
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const headers = {
    ...(chunked === true && {'Transfer-Encoding': 'chunked'}),
    ...(bytes !== undefined && chunked !== true && {'Content-Length': String(bytes.length)}),
    ...question.headers
  };
  return await new Promise(resolve => {
    let reply: Reply = {status: 0, headers: {}, body: Buffer.alloc(0)};
    const fail = (error: NodeJS.ErrnoException) => {
      resolve({...reply, error: error.code ?? error.message});
    };
    const options = {method, headers, agent: false as const, ...(ca !== undefined && {ca})};
    const request = url.startsWith('https:') ? secure(url, options) : plain(url, options);
    request.on('error', fail);
    request.on('response', response => {
      const {statusCode = 0, headers: sent} = response;
      reply = {status: statusCode, headers: sent, body: Buffer.alloc(0)};
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        reply = {...reply, body: Buffer.concat(chunks)};
      });
      response.on('error', fail);
      response.on('end', () => {
        resolve(reply);
      });
    });
    if (patience !== undefined) {
      setTimeout(() => {
        resolve({...reply, error: 'PATIENCE'});
        request.destroy();
      }, patience).unref();
    }
    if (bytes !== undefined && breakAfter !== undefined) {
      request.write(bytes.subarray(0, breakAfter), () => {
        setTimeout(() => request.destroy(), 20);
      });
    } else {
      request.end(bytes);
    }
  });
}

/** The JSON of a reply. */
export function json(reply: Reply): unknown {
  return JSON.parse(reply.body.toString('utf8'));
}

/** The codes in the error document of a reply. */
export function codes(reply: Reply): readonly string[] {
  return (json(reply) as {errors: {code: string}[]}).errors.map(({code}) => code);
}

/** Opens an upload and gives its Location, resolved. */
export async function openUpload(
  url: string,
  repository: string,
  question: Question = {}
): Promise<string> {
  const place = `${url}/v2/${repository}/blobs/uploads/`;
  const {headers} = await ask(place, {...question, method: 'POST'});
  return new URL(headers.location ?? '', place).href;
}

/** Where an upload goes on after a reply. */
export function next({headers}: Reply, url: string): string {
  return new URL(headers.location ?? '', url).href;
}
