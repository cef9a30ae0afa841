import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { encryptionFlags } from './encryption.ts';
import { etcdFlags } from './etcd.ts';
import { GivenFlags } from './flag.ts';
import { servingFlags } from './serving.ts';

const given = (flags: Readonly<Record<string, string | readonly string[]>>): GivenFlags =>
  new GivenFlags(Object.entries(flags).map(([name, value]) => [name, typeof value === 'string' ? [value] : value]));

describe('flags of the store', () => {
  it('choose etcd, stored as upstream stores', () => {
    const { etcd, apiServer } = etcdFlags.settings(
      given({ 'etcd-servers': 'http://a:2379,http://b:2379', 'etcd-prefix': 'k/v/', 'etcd-compaction-interval': '0' }),
    );
    assert.deepEqual(etcd, { endpoints: ['http://a:2379', 'http://b:2379'], files: {} });
    assert.deepEqual(apiServer, {
      keyPrefix: '/k/v',
      compactionIntervalMs: 0,
      storageMediaType: 'application/vnd.kubernetes.protobuf',
    });
  });
  it('leave everything as it is when none is given', () => {
    assert.deepEqual(etcdFlags.settings(given({})), { apiServer: {} });
  });
  it('are refused in upstream words', () => {
    const refused = (flags: Record<string, string>, message: string | RegExp): void => {
      assert.throws(() => etcdFlags.settings(given(flags)), { message });
    };
    refused({ 'etcd-cafile': '/nowhere' }, '--etcd-servers must be specified');
    refused({ 'etcd-servers': 'http://a:1', 'etcd-cafile': '/nowhere' }, 'open /nowhere: no such file or directory');
    refused(
      { 'etcd-servers': 'http://a:1', 'etcd-certfile': '/c' },
      'KeyFile and CertFile must both be present[key: , cert: /c]',
    );
    refused(
      { 'storage-backend': 'etcd2' },
      "--storage-backend invalid, allowed values: etcd3. If not specified, it will default to 'etcd3'",
    );
    refused(
      { 'storage-media-type': 'text/plain' },
      '--storage-media-type "text/plain" invalid, allowed values: application/json, application/vnd.kubernetes.protobuf',
    );
  });
});

describe('flags of encryption', () => {
  it('want a file to read again', () => {
    assert.throws(() => encryptionFlags.settings(given({ 'encryption-provider-config-automatic-reload': 'true' })), {
      message: '--encryption-provider-config-automatic-reload must be set with --encryption-provider-config',
    });
  });
});

describe('flags of certificates', () => {
  it('translate versions and cipher suites, and refuse unknown ones', () => {
    const { serving, signingDurationMs } = servingFlags.settings(
      given({
        'tls-min-version': 'VersionTLS13',
        'tls-cipher-suites':
          'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_RSA_WITH_AES_256_GCM_SHA384',
        'cluster-signing-duration': '1h',
      }),
    );
    assert.equal(serving?.minVersion, 'TLSv1.3');
    assert.equal(serving?.ciphers, 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:AES256-GCM-SHA384');
    assert.equal(signingDurationMs, 3600_000);
    assert.throws(() => servingFlags.settings(given({ 'tls-min-version': 'SSLv3' })), {
      message: 'unknown tls version "SSLv3"',
    });
    assert.throws(() => servingFlags.settings(given({ 'tls-cipher-suites': 'TLS_NONE' })), {
      message: "Cipher suite TLS_NONE not supported or doesn't exist",
    });
  });
  it('refuse files that are not there or do not belong together', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kobune-flags-'));
    try {
      const cert = join(folder, 'c');
      assert.throws(() => servingFlags.settings(given({ 'tls-cert-file': cert, 'tls-private-key-file': cert })), {
        message: `unable to load server certificate: open ${cert}: no such file or directory`,
      });
      writeFileSync(cert, 'x');
      assert.throws(
        () => servingFlags.settings(given({ 'tls-cert-file': cert, 'tls-private-key-file': cert })),
        /unable to load server certificate: /,
      );
      assert.throws(() => servingFlags.settings(given({ 'tls-sni-cert-key': cert })), {
        message: `invalid argument ${JSON.stringify(cert)} for "--tls-sni-cert-key" flag: expected comma separated certificate and key file paths`,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
