import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { rulesOf } from '#api/rules';
import { MetricsRegistry, silentLogger, systemClock, systemRandom } from '#base';
import { EnvelopeMetrics, TransformationMetrics } from '#storage';
import { Scheme } from '../scheme/scheme.ts';
import { readEncryptionConfig } from './config.ts';
import { groupResourceText, resourcesByKey } from './group-resource.ts';
import { buildTransformers } from './transformers.ts';

const head = 'kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\n';
const secret = 'A/j5CnrWGB83ylcPkuUhm/6TSyrQtsNJtDPwPHNOj4Q=';
const keys = `[{aescbc: {keys: [{name: k1, secret: "${secret}"}]}}]`;
const rule = (resources: string, providers = keys): string => `- resources: ${resources}\n  providers: ${providers}\n`;
const rules = (...all: string[]): string => `${head}resources:\n${all.join('')}`;
const kms = (...fields: string[]): string =>
  rules(rule('[secrets]', `[${fields.map(f => `{kms: {${f}}}`).join(', ')}]`));
const at = 'resources[0].providers[0]';
const masking =
  "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked";

/** Recorded from kube-apiserver v1.36.3; FILE is the path. */
const refused: ReadonlyArray<readonly [what: string, text: string, why: string]> = [
  ['an empty file', '', 'error while loading file: encryption provider configuration file FILE is empty'],
  ['no resources', head, 'resources: Required value: at least one resources is required'],
  [
    'no resources in the old kind',
    'kind: EncryptionConfig\napiVersion: v1\n',
    'resources: Required value: at least one resources is required',
  ],
  [
    'what is no YAML',
    '{{{',
    "error decoding encryption provider configuration file FILE: couldn't get version/kind; json parse error: ",
  ],
  [
    'another kind',
    'kind: AdmissionConfiguration\napiVersion: apiserver.config.k8s.io/v1\n',
    'got unexpected config type: apiserver.config.k8s.io/v1, Kind=AdmissionConfiguration',
  ],
  [
    'an unknown field',
    `${head}resources:\n- resources: [secrets]\n  foo: 1\n  providers: ${keys}\n`,
    'error decoding encryption provider configuration file FILE: strict decoding error: unknown field "resources[0].foo"',
  ],
  [
    'a wrong type',
    `${head}resources: 5\n`,
    'error decoding encryption provider configuration file FILE: json: cannot unmarshal number into Go struct field EncryptionConfiguration.resources of type []v1.ResourceConfiguration',
  ],
  [
    'a list that is none',
    `${head}resources:\n- resources: secrets\n`,
    'error decoding encryption provider configuration file FILE: json: cannot unmarshal string into Go struct field ResourceConfiguration.resources.resources of type []string',
  ],
  [
    'no names',
    rules(rule('[]')),
    'resources[0].resources: Required value: at least one resources[0].resources is required',
  ],
  [
    'no providers',
    rules(rule('[secrets]', '[]')),
    'resources[0].providers: Required value: at least one resources[0].providers is required',
  ],
  [
    'an empty provider',
    rules(rule('[secrets]', '[{}]')),
    `${at}: Invalid value: {"AESGCM":null,"AESCBC":null,"Secretbox":null,"Identity":null,"KMS":null}: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity`,
  ],
  [
    'no keys',
    rules(rule('[secrets]', '[{aesgcm: {keys: []}}]')),
    `${at}.aesgcm.keys: Required value: at least one keys is required`,
  ],
  [
    'an empty key',
    rules(rule('[secrets]', '[{aesgcm: {keys: [{name: "", secret: ""}]}}]')),
    `[${at}.aesgcm.keys[0].name: Required value: name is a mandatory field for a key, ${at}.aesgcm.keys[0].secret: Required value: secret is a mandatory field for a key]`,
  ],
  [
    'a key that is no base64',
    rules(rule('[secrets]', '[{aescbc: {keys: [{name: k1, secret: "!!!"}]}}]')),
    `${at}.aescbc.keys[0].secret: Invalid value: "REDACTED": secrets must be base64 encoded`,
  ],
  [
    'a short key',
    rules(rule('[secrets]', '[{secretbox: {keys: [{name: k1, secret: "aGVsbG8="}]}}]')),
    `${at}.secretbox.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 5, expected one of [32]`,
  ],
  [
    'a resource twice',
    rules(rule('[secrets, secrets]')),
    'resources[0].resources: Invalid value: ["secrets","secrets"]: the same resource cannot be specified multiple times',
  ],
  [
    'a resource and its group',
    rules(rule('[secrets, "*."]')),
    `resources[0].resources: Invalid value: ["secrets","*."]: ${masking}`,
  ],
  [
    'capital letters',
    rules(rule('[Secrets]')),
    'resources[0].resources[0]: Invalid value: "Secrets": resource name should not contain capital letters',
  ],
  [
    'a bare star',
    rules(rule('["*"]')),
    `resources[0].resources[0]: Invalid value: "*": use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources`,
  ],
  [
    'events of the other group',
    rules(rule('[events.events.k8s.io]')),
    `resources[0].resources[0]: Invalid value: "events.events.k8s.io": '*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file`,
  ],
  [
    'a KMS without anything right',
    kms('apiVersion: v2, name: "a:b", endpoint: "tcp://x", timeout: 0s, cachesize: 5'),
    `[${at}.kms.name: Invalid value: "a:b": invalid KMS provider name a:b, must not contain ':', ${at}.kms.timeout: Invalid value: "0s": timeout should be a positive value, ${at}.kms.endpoint: Invalid value: "tcp://x": unsupported scheme "tcp" for KMS provider, only unix is supported, ${at}.kms.cachesize: Invalid value: 5: cachesize is not supported in v2]`,
  ],
  [
    'one KMS twice',
    kms('apiVersion: v2, name: a, endpoint: "unix:///x"', 'apiVersion: v2, name: a, endpoint: "unix:///y"'),
    'resources[0].providers[1].kms.name: Invalid value: "a": duplicate KMS provider name a, names must be unique',
  ],
  [
    'an endpoint that is no URL',
    kms('apiVersion: v2, name: a, endpoint: "unix:///tmp/%zz"'),
    `${at}.kms.endpoint: Invalid value: "unix:///tmp/%zz": invalid endpoint for kms provider, error: parse "unix:///tmp/%zz": invalid URL escape "%zz"`,
  ],
];

const masked: ReadonlyArray<readonly [string, string]> = [
  [rules(rule('["*.*"]'), rule('[secrets]')), 'resource "secrets" is masked by earlier rule "*.*"'],
  [
    rules(rule('["*.apps"]'), rule('[deployments.apps]')),
    'resource "deployments.apps" is masked by earlier rule "*.apps"',
  ],
  [rules(rule('["*."]'), rule('["*."]')), 'resource "*." is masked by earlier rule "*."'],
  [
    kms('name: a, endpoint: "unix:///x"'),
    'KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 instead.  Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature.',
  ],
];

describe('an EncryptionConfiguration', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kobune-enc-'));
    file = join(folder, 'enc.yaml');
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const [what, text, why] of refused) {
    it(`is refused with upstream's text: ${what}`, () => {
      writeFileSync(file, text);
      assert.throws(
        () => readEncryptionConfig(file, false),
        ({ message }: Error) => {
          assert.ok(
            message.startsWith(`error while parsing file: ${why.replace('FILE', JSON.stringify(file))}`),
            message,
          );
          return true;
        },
      );
    });
  }

  it('is refused without showing a key', () => {
    writeFileSync(
      file,
      rules(rule('[secrets]', `[{aescbc: {keys: [{name: k1, secret: "${secret}"}]}, identity: {}}]`)),
    );
    assert.throws(
      () => readEncryptionConfig(file, false),
      ({ message }: Error) =>
        message.includes('more than one provider specified in a single element') && !message.includes(secret),
    );
    writeFileSync(file, `resources: [{providers: [{aescbc: {keys: [{name: k1, secret: "${secret}"}]}}]}]`);
    assert.throws(
      () => readEncryptionConfig(file, false),
      ({ message }: Error) => message.includes("Object 'Kind' is missing") && !message.includes(secret),
    );
  });

  it('is refused where a rule hides another, and for KMS v1', async () => {
    const metrics = new MetricsRegistry();
    const deps = {
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      metrics: new EnvelopeMetrics(metrics, systemClock, ''),
      transformations: new TransformationMetrics(metrics, systemClock),
    };
    for (const [text, why] of masked) {
      writeFileSync(file, text);
      const { config } = readEncryptionConfig(file, false);
      await assert.rejects(buildTransformers(deps, config, new AbortController().signal), {
        message: `error while building transformers: ${why}`,
      });
    }
  });
});

it('finds the resource of every key', () => {
  const resourceOf = resourcesByKey(new Scheme('/registry', rulesOf), '/registry');
  const named = (key: string): string => groupResourceText(resourceOf(`/registry/${key}`));
  for (const [key, resource] of Object.entries({
    'secrets/default/a': 'secrets',
    'minions/n': 'nodes',
    'services/specs/default/kubernetes': 'services',
    'services/endpoints/default/kubernetes': 'endpoints',
    'deployments/default/d': 'deployments.apps',
    'events/default/e': 'events',
    'ingress/default/i': 'ingresses.networking.k8s.io',
    'apiextensions.k8s.io/customresourcedefinitions/x': 'customresourcedefinitions.apiextensions.k8s.io',
    'example.com/widgets/default/w': 'widgets.example.com',
    'ranges/servicenodeports/30000': 'servicenodeportallocations',
    'masterleases/10.0.0.1': 'apiserveripinfo',
  }))
    assert.equal(named(key), resource, key);
});
