import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type AdmissionControl, readAdmissionControl } from './admission-control.ts';

const head = 'apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n';

function read(files: Readonly<Record<string, string>>, enabled?: readonly string[]): AdmissionControl {
  const directory = mkdtempSync(join(tmpdir(), 'kobune-admission-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    return readAdmissionControl(join(directory, 'control.yaml'), enabled);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const plugin = (name: string, configuration: string): string =>
  `${head}plugins:\n- name: ${name}\n  configuration:\n${configuration.replace(/^/gm, '    ')}`;

describe('the configuration of admission', () => {
  it('is read from the file, and from files that it names', () => {
    const selectors = 'podNodeSelectorPluginConfig:\n  clusterDefaultNodeSelector: a=b\n';
    const { nodeSelectors, eventLimits } = read({
      'control.yaml': `${plugin('EventRateLimit', 'apiVersion: eventratelimit.admission.k8s.io/v1alpha1\nkind: Configuration\nlimits:\n- {type: Server, qps: 1, burst: 2}')}\n- name: PodNodeSelector\n  path: selectors.yaml\n`,
      'selectors.yaml': selectors,
    });
    assert.deepEqual(nodeSelectors, { clusterDefaultNodeSelector: 'a=b' });
    assert.deepEqual(eventLimits, [{ type: 'Server', qps: 1, burst: 2 }]);
  });

  it('may be that of one of two plugins that once had the file for themselves', () => {
    assert.deepEqual(read({ 'control.yaml': 'podNodeSelectorPluginConfig: {ns: a=b}\n' }), {
      nodeSelectors: { ns: 'a=b' },
    });
  });

  it('says nothing to plugins that are off', () => {
    const files = { 'control.yaml': plugin('EventRateLimit', 'a: b') };
    assert.deepEqual(read(files, ['PodSecurity']), {});
    assert.throws(() => read(files, ['EventRateLimit']), {
      message:
        'failed to apply admission: couldn\'t init admission plugin "EventRateLimit": Object \'Kind\' is missing in \'{"a":"b"}\'',
    });
  });

  it('is refused with what it has too much', () => {
    const security = 'apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\nfoo: 1';
    assert.throws(() => read({ 'control.yaml': plugin('PodSecurity', security) }), {
      message:
        'failed to apply admission: couldn\'t init admission plugin "PodSecurity": strict decoding error: unknown field "foo"',
    });
    assert.throws(() => read({ 'control.yaml': `${head}foo: 1\n` }), {
      message: 'failed to apply admission: failed to read plugin config: strict decoding error: unknown field "foo"',
    });
    const lists: readonly (readonly [string, string])[] = [
      [
        'defaults: {enforce: bad, warn-version: x}',
        'configuration error: [enforce: must be one of privileged, baseline, restricted, warn-version: must be "latest" or "v1.x"]',
      ],
      [
        'exemptions: {usernames: ["", a, a]}',
        'invalid: [exemptions.usernames[0]: Invalid value: "": username must not be empty, exemptions.usernames[2]: Duplicate value: "a"]',
      ],
    ];
    for (const [text, why] of lists) {
      assert.throws(() => read({ 'control.yaml': plugin('PodSecurity', security.replace('foo: 1', text)) }), {
        message: `failed to apply admission: failed to initialize admission plugin "PodSecurity": PodSecurity ${why}`,
      });
    }
    assert.throws(() => read({ 'control.yaml': plugin('ImagePolicyWebhook', 'imagePolicy: x') }), {
      message:
        /json: cannot unmarshal string into Go struct field AdmissionConfig.imagePolicy of type imagepolicy.imagePolicyWebhookConfig$/,
    });
    const webhook = 'apiVersion: apiserver.config.k8s.io/v1\nkind: WebhookAdmissionConfiguration\nkubeConfigFile: x';
    assert.throws(() => read({ 'control.yaml': plugin('ValidatingAdmissionWebhook', webhook) }), {
      message: /kubeConfigFile: Invalid value: "x": must be an absolute file path$/,
    });
  });
});
