import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api/types';
import { defaultPodSecurity } from './configuration.ts';
import { type LevelVersion, levelText, policyOf, violations, violationText } from './policy.ts';

const pod = (spec: object, annotations: Record<string, string> = {}): Pod =>
  ({
    metadata: { name: 'p', annotations },
    spec: { containers: [{ name: 'a', image: 'i' }], ...spec },
  }) as unknown as Pod;
const at = (level: LevelVersion['level'], minor = Number.POSITIVE_INFINITY): LevelVersion => ({ level, minor });
const secured = (more: object = {}): object => ({
  name: 'a',
  image: 'i',
  securityContext: {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
    ...more,
  },
});

test('what levels forbid, by version', () => {
  const cases: Array<[what: string, level: LevelVersion, pod: Pod, text: string]> = [
    ['privileged forbids nothing', at('privileged'), pod({ hostPID: true }), ''],
    ['a secured pod', at('restricted'), pod({ containers: [secured()] }), ''],
    [
      'two containers of a pod',
      at('baseline'),
      pod({
        containers: [
          { name: 'a', ports: [{ hostPort: 80 }] },
          { name: 'b', ports: [{ hostPort: 80 }, { hostPort: 443 }] },
        ],
      }),
      'hostPort (containers "a", "b" use hostPorts 443, 80)',
    ],
    ['probes with hosts before 1.34', at('baseline', 33), pod({ containers: [probed('h')] }), ''],
    [
      'probes with hosts',
      at('baseline', 34),
      pod({ containers: [probed('h')] }),
      'probe or lifecycle host (container "a" uses probe or lifecycle host "h")',
    ],
    ['sysctls that came later', at('baseline', 28), pod(sysctl), 'forbidden sysctls (net.ipv4.tcp_fin_timeout)'],
    ['the same sysctl', at('baseline', 29), pod(sysctl), ''],
    [
      'seccomp annotations of old',
      at('baseline', 18),
      pod({}, { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' }),
      'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    ],
    [
      'AppArmor by field and annotation',
      at('baseline'),
      pod(
        { securityContext: { appArmorProfile: { type: 'Unconfined' } } },
        { 'container.apparmor.security.beta.kubernetes.io/a': 'unconfined' },
      ),
      'forbidden AppArmor profiles (pod and annotation must not set AppArmor profile type to "Unconfined", "container.apparmor.security.beta.kubernetes.io/a="unconfined"")',
    ],
    [
      'host paths are told once at level restricted',
      at('restricted'),
      pod({ containers: [secured()], volumes: [{ name: 'v', hostPath: { path: '/' } }] }),
      'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ],
    [
      'root in a user namespace of its own',
      at('restricted'),
      pod({ hostUsers: false, containers: [secured({ runAsUser: 0, runAsNonRoot: false })] }),
      '',
    ],
  ];
  for (const [what, level, object, text] of cases) assert.equal(violationText(violations(level, object)), text, what);
});

test('labels, and what is wrong in them', () => {
  const prefix = 'pod-security.kubernetes.io/';
  const read = (labels: Record<string, string>) => {
    const { policy, errors } = policyOf(
      Object.fromEntries(Object.entries(labels).map(([key, value]) => [prefix + key, value])),
      defaultPodSecurity.defaults,
    );
    return [...(['enforce', 'audit', 'warn'] as const).map(mode => levelText(policy[mode])), errors.length];
  };
  assert.deepEqual(read({}), ['privileged:latest', 'privileged:latest', 'privileged:latest', 0]);
  assert.deepEqual(read({ enforce: 'baseline', 'enforce-version': 'v1.20' }), [
    'baseline:v1.20',
    'privileged:latest',
    'baseline:v1.20',
    0,
  ]);
  assert.deepEqual(read({ enforce: 'x', warn: 'y', audit: 'z', 'audit-version': '1' }), [
    'restricted:latest',
    'privileged:latest',
    'privileged:latest',
    4,
  ]);
});

function probed(host: string): object {
  return { name: 'a', livenessProbe: { httpGet: { host } } };
}

const sysctl = { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_fin_timeout', value: '1' }] } };
