import {X509Certificate} from 'node:crypto';
import {closeSync, constants, fstatSync, openSync, readSync, statSync} from 'node:fs';

import {clean} from '../oci/clean.ts';
import {shown} from './checks.ts';
import {Refusal} from './error.ts';
import {type Places, readPath, stayInside} from './path.ts';

/** The most bytes of a file with certificates: all the world's authorities fit in a quarter of it. */
const mostBytes = 1024 * 1024;

/** Certificates that were read from a file. */
export interface Certificates {
  /** Absolute. */
  readonly path: string;
  /** The certificates alone, whatever else the file holds. */
  readonly pem: string;
  /** Who they belong to and that they have ended, for those that have; clean. */
  readonly expired: readonly string[];
}

/**
 * Reads the certificates of a PEM file. Links are followed as far as they stay where a path may lead;
 * folders, pipes and devices are refused without being opened for reading.
 * @throws Refusal
 */
export function readCertificates(text: string, places: Places): Certificates {
  if (text.includes('-----BEGIN')) {
    throw new Refusal(
      'holds a certificate or a key itself (so it is not shown); the path of a file is wanted',
      {discreet: true}
    );
  }
  const path = readPath(text, places);
  stayInside(path, text, places);
  const content = readRegularFile(path, shown(text));
  const blocks = content.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) {
    throw new Refusal(
      `${shown(text)} holds no PEM certificate; one begins with -----BEGIN CERTIFICATE----- (openssl x509 -inform der turns a binary one into PEM)`
    );
  }
  const expired: string[] = [];
  for (const [i, block] of blocks.entries()) {
    const {subject, validTo} = certificate(block, `${shown(text)}: certificate ${i + 1}`);
    if (Date.parse(validTo) < Date.now()) {
      expired.push(`${shown(subject.replaceAll('\n', ', '))} ended on ${clean(validTo)}`);
    }
  }
  return {path, pem: `${blocks.join('\n')}\n`, expired};
}

function certificate(block: string, what: string): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch {
    throw new Refusal(`${what} cannot be read; it may be cut or altered`);
  }
}

function readRegularFile(path: string, named: string): string {
  try {
    // Asked before it is opened, since opening a device may do something; and again afterwards,
    // since it may have been exchanged. Non-blocking, since a pipe nobody writes to waits for ever.
    const before = statSync(path);
    if (!before.isFile()) throw notAFile(named);
    const file = openSync(
      path,
      constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0)
    );
    try {
      if (!fstatSync(file).isFile()) throw notAFile(named);
      return readBounded(file, named);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'no reason';
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    throw new Refusal(`${named} ${reason}; the path of a PEM file is wanted, such as certs/ca.pem`);
  }
}

function readBounded(file: number, named: string): string {
  const buffer = Buffer.alloc(mostBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(file, buffer, length, buffer.length - length, length);
    if (read === 0) break;
    length += read;
  }
  if (length === 0) throw new Refusal(`${named} is empty; a PEM file is wanted`);
  if (length > mostBytes) {
    throw new Refusal(
      `${named} has more than ${mostBytes} bytes; only the private authority's own certificates are wanted`
    );
  }
  return buffer.toString('utf8', 0, length);
}

function notAFile(named: string): Refusal {
  return new Refusal(`${named} is not a regular file; the path of a PEM file is wanted`);
}
