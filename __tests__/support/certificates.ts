import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';

const run = promisify(execFile);

/** A private CA and one server certificate by it. All are PEM texts but for `caFile`. */
export interface Certificates extends AsyncDisposable {
  readonly ca: string;
  /** Where `ca` lies, for NODE_EXTRA_CA_CERTS, ca-file and the like; gone after disposal. */
  readonly caFile: string;
  readonly key: string;
  readonly cert: string;
}

/**
 * Makes a CA of its own and a server certificate for `names`, by the openssl program.
 * @param days how long the server's certificate is good; below zero it has expired
 */
export async function makeCertificates(
  names: readonly string[] = ['IP:127.0.0.1', 'DNS:localhost'],
  days = 1
): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), 'certificates-'));
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => run('openssl', args, {cwd: directory});
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await writeFile(
    at('ca.cnf'),
    '[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\n[dn]\nCN=A private CA\n[v3]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
  );
  await writeFile(
    at('server.ext'),
    `subjectAltName=${names.join(',')}\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n`
  );
  await openssl(
    ...['req', '-x509', '-config', 'ca.cnf', ...newKey],
    ...['-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2']
  );
  await openssl(
    ...['req', '-new', '-config', 'ca.cnf', ...newKey],
    ...['-subj', '/CN=A test registry', '-keyout', 'server.key', '-out', 'server.csr']
  );
  await openssl(
    ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key'],
    ...['-CAcreateserial', '-days', String(days), '-extfile', 'server.ext', '-out', 'server.pem']
  );
  const [ca, key, cert] = await Promise.all(
    ['ca.pem', 'server.key', 'server.pem'].map(name => readFile(at(name), 'utf8'))
  );
  return {
    ca: ca ?? '',
    caFile: at('ca.pem'),
    key: key ?? '',
    cert: cert ?? '',
    [Symbol.asyncDispose]: () => rm(directory, {recursive: true, force: true})
  };
}
