import assert from 'node:assert/strict';
import type { webcrypto } from 'node:crypto';
import { describe, it } from 'node:test';
import { requestProblem, requestSubject } from './certificate-request.ts';
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

const kinds = [
  { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256', failure: /ECDSA verification failure/ },
  {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    failure: /crypto\/rsa: verification error/,
  },
];

async function requestOf({ failure: _, ...algorithm }: (typeof kinds)[number]): Promise<string> {
  const keys = (await crypto.subtle.generateKey(algorithm as never, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=jane,O=dev,O=ops',
    keys,
    signingAlgorithm: algorithm as never,
  });
  return request.toString('pem');
}

/** The same request with the last byte of its signature changed. */
function forged(pem: string): string {
  const [, base64] = /-----\n([\s\S]*?)\n?-----END/.exec(pem)!;
  const bytes = Buffer.from(base64!, 'base64');
  bytes[bytes.length - 1]! ^= 1;
  return `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}

describe('Certificate requests', () => {
  for (const kind of kinds) {
    it(`are believed when their own key signed them: ${kind.name}`, async () => {
      const pem = await requestOf(kind);
      assert.equal(requestProblem(pem), undefined);
      assert.deepEqual(requestSubject(pem), { commonName: 'jane', organizations: ['dev', 'ops'] });
      assert.match(requestProblem(forged(pem))!, kind.failure);
    });
  }

  it('are told from other PEM blocks and from garbage', () => {
    assert.equal(requestProblem(''), 'PEM block type must be CERTIFICATE REQUEST');
    assert.equal(
      requestProblem('-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----'),
      'PEM block type must be CERTIFICATE REQUEST',
    );
    for (const content of ['AAAA', 'MAA=', 'MIID', 'MAMCAQA=']) {
      const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${content}\n-----END CERTIFICATE REQUEST-----`;
      assert.match(requestProblem(pem)!, /asn1|cut off/, content);
    }
  });
});
