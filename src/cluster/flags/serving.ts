/**
 * Flags of the certificates that the API shows, and of how long certified requests are good. Upstream: apiserver
 * pkg/server/options/serving.go, cmd/kube-controller-manager/app/options/csrsigningcontroller.go.
 */
import { resolve } from 'node:path';
import { getCiphers } from 'node:tls';
import { UserError } from '#base';
import { readServingFiles, type ServingFiles, type SniFiles } from '../serving/serving-files.ts';
import { type FlagGroup, type GivenFlags, refused } from './flag.ts';
import type { ServingSettings } from './settings.ts';

const certFlag = 'tls-cert-file';
const keyFlag = 'tls-private-key-file';
const sniFlag = 'tls-sni-cert-key';
const versionFlag = 'tls-min-version';
const ciphersFlag = 'tls-cipher-suites';
const curvesFlag = 'tls-curve-preferences';
const durationFlag = 'cluster-signing-duration';

const versions = { VersionTLS10: 'TLSv1', VersionTLS11: 'TLSv1.1', VersionTLS12: 'TLSv1.2', VersionTLS13: 'TLSv1.3' };

export const servingFlags: FlagGroup = {
  title: 'Certificates:',
  flags: [
    { name: certFlag, value: 'path', help: "certificate of the API in place of the cluster's own", isPath: true },
    { name: keyFlag, value: 'path', help: 'its key', isPath: true },
    {
      name: sniFlag,
      value: 'cert,key[:names]',
      help: 'a further certificate, for clients that ask for one of its names; may be given several times',
      isPath(text) {
        const { cert, key, names } = sniFiles(text);
        return `${cert},${key}${names.length > 0 ? `:${names.join(',')}` : ''}`;
      },
    },
    { name: versionFlag, value: 'version', help: 'lowest TLS version (default: VersionTLS12)' },
    { name: ciphersFlag, value: 'names', help: 'cipher suites of TLS 1.2' },
    { name: curvesFlag, value: 'numbers', help: 'key exchanges, by their numbers in TLS: 29,23,24,25,4587,4588,4589' },
    { name: durationFlag, value: 'duration', help: 'longest validity of certified requests (default: 8760h)' },
  ],
  settings(given) {
    const signingDurationMs = given.durationMs(durationFlag);
    const serving = servingSettings(given);
    return { apiServer: {}, serving, ...(signingDurationMs !== undefined && { signingDurationMs }) };
  },
};

function servingSettings(given: GivenFlags): ServingSettings {
  const [cert = '', key = ''] = [given.path(certFlag), given.path(keyFlag)];
  const files: ServingFiles = {
    ...((cert !== '' || key !== '') && { pair: { cert, key } }),
    sni: given.all(sniFlag).map(sniFiles),
  };
  readServingFiles(files);
  const version = given.text(versionFlag);
  const ciphers = given.list(ciphersFlag);
  const curves = given.list(curvesFlag);
  return {
    files,
    ...(version && { minVersion: minVersion(version) }),
    ...(ciphers && ciphers.length > 0 && { ciphers: cipherNames(ciphers) }),
    ...(curves && curves.length > 0 && { curves: curveNames(curves) }),
  };
}

function sniFiles(text: string): SniFiles {
  const [files = '', names = ''] = text.split(':');
  const [cert = '', key = '', ...more] = files.split(',');
  if (cert === '' || key === '' || more.length > 0)
    throw new UserError(
      `invalid argument ${JSON.stringify(text)} for "--${sniFlag}" flag: expected comma separated certificate and key file paths`,
    );
  return { cert: resolve(cert), key: resolve(key), names: names.split(',').filter(Boolean) };
}

function minVersion(text: string): NonNullable<ServingSettings['minVersion']> {
  const found = Object.entries(versions).find(([name]) => name === text)?.[1];
  if (!found) throw new UserError(`unknown tls version ${JSON.stringify(text)}`);
  return found as NonNullable<ServingSettings['minVersion']>;
}

/** As OpenSSL names them, by their number in TLS. */
const curveByNumber: Readonly<Record<string, string>> = {
  23: 'prime256v1',
  24: 'secp384r1',
  25: 'secp521r1',
  29: 'X25519',
  4587: 'SecP256r1MLKEM768',
  4588: 'X25519MLKEM768',
  4589: 'SecP384r1MLKEM1024',
};

function curveNames(numbers: readonly string[]): string {
  const seen = new Set<string>();
  const names = numbers.map(text => {
    if (!/^[+-]?\d+$/.test(text)) {
      throw refused(curvesFlag, text, `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    }
    const id = Number(text);
    if (id <= 0 || id > 65535) throw new UserError(`curve preference ${id} is out of range (must be 1-65535)`);
    if (seen.has(text)) throw new UserError(`duplicate curve preference ${id}`);
    seen.add(text);
    const name = curveByNumber[id];
    if (!name) throw new UserError(`curve preference ${id} is not supported by the current Go version`);
    return name;
  });
  return names.join(':');
}

/** Go names the suites of TLS 1.2 as IANA does, OpenSSL in its own way. */
function cipherNames(suites: readonly string[]): string {
  const known = new Set(getCiphers());
  const names = suites.map(suite => {
    const name = suite
      .replace(/^TLS_/, '')
      .replace('_WITH_', '_')
      .replace(/AES_(\d+)/, 'AES$1')
      .replace('CHACHA20_POLY1305_SHA256', 'CHACHA20_POLY1305')
      .replace(/AES(\d+)_CBC/, 'AES$1')
      .replace(/^RSA_/, '')
      .replaceAll('_', '-');
    if (!/^TLS_/.test(suite) || !known.has(name.toLowerCase()))
      throw new UserError(`Cipher suite ${suite} not supported or doesn't exist`);
    return name;
  });
  return names.join(':');
}
