/**
 * The checks of level baseline. Each answers undefined, or what is forbidden and where. Upstream:
 * pod-security-admission policy/check_*.go; the versions in which a check changed are its `versions`.
 */
import type { Container, Pod, PodSpec, SELinuxOptions } from '#api/types';
import { goQuote } from '#apimachinery';
import { allContainers, containersText, plural, quoted, settersText, sortedQuoted } from './words.ts';

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export type PodCheck = (pod: Pick<Pod, 'metadata' | 'spec'>) => Violation | undefined;

/** A rule through the minor versions of Kubernetes: from `since` on the check is `check`, until the next one. */
export interface Check {
  readonly id: string;
  readonly versions: ReadonlyArray<{ readonly since: number; readonly check: PodCheck }>;
  /** Checks of baseline that this one makes superfluous. */
  readonly overrides?: readonly string[];
}

/** Containers that a test finds bad, by name. */
export function namesWhere(spec: PodSpec, bad: (container: Container) => boolean): string[] {
  return allContainers(spec)
    .filter(bad)
    .map(container => container.name);
}

/** In a user namespace of its own a pod's root is nobody. */
export function unlessUserNamespace(check: PodCheck): PodCheck {
  return pod => (pod.spec.hostUsers === false ? undefined : check(pod));
}

const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';

const appArmor: PodCheck = ({ metadata, spec }) => {
  const bad = (type: string | undefined): boolean => type !== 'RuntimeDefault' && type !== 'Localhost';
  const values: string[] = [];
  const own = spec.securityContext?.appArmorProfile;
  const podIsBad = own !== undefined && bad(own.type);
  if (podIsBad) values.push(own.type);
  const names = namesWhere(spec, ({ securityContext }) => {
    const profile = securityContext?.appArmorProfile;
    if (!profile || !bad(profile.type)) return false;
    values.push(profile.type);
    return true;
  });
  const annotations = Object.entries(metadata.annotations ?? {})
    .filter(([key]) => key.startsWith(appArmorPrefix))
    .filter(([, value]) => value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'))
    .map(([key, value]) => `${key}=${goQuote(value)}`)
    .sort();
  const listed = [...[...new Set(values)].sort(), ...annotations];
  if (listed.length === 0) return undefined;
  const setters = [
    ...(podIsBad ? ['pod'] : []),
    ...(names.length > 0 ? [containersText(names)] : []),
    ...(annotations.length > 0 ? [plural('annotation', 'annotations', annotations.length)] : []),
  ];
  return {
    reason: plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', listed.length),
    detail: `${setters.join(' and ')} must not set AppArmor profile type to ${quoted(listed)}`,
  };
};

const defaultCapabilities = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
);

const capabilities: PodCheck = ({ spec }) => {
  const added: string[] = [];
  const names = namesWhere(spec, ({ securityContext }) => {
    const bad = (securityContext?.capabilities?.add ?? []).filter(each => !defaultCapabilities.has(each));
    added.push(...bad);
    return bad.length > 0;
  });
  if (names.length === 0) return undefined;
  const what = `must not include ${sortedQuoted(added)} in securityContext.capabilities.add`;
  return { reason: 'non-default capabilities', detail: `${containersText(names)} ${what}` };
};

const hostNamespaces: PodCheck = ({ spec }) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter(name => spec[name]);
  if (used.length === 0) return undefined;
  return { reason: 'host namespaces', detail: used.map(name => `${name}=true`).join(', ') };
};

const hostPathVolumes: PodCheck = ({ spec }) => {
  const names = (spec.volumes ?? []).filter(volume => volume.hostPath).map(volume => volume.name);
  if (names.length === 0) return undefined;
  return { reason: 'hostPath volumes', detail: `${plural('volume', 'volumes', names.length)} ${quoted(names)}` };
};

const hostPorts: PodCheck = ({ spec }) => {
  const ports = new Set<string>();
  const names = namesWhere(spec, container => {
    const used = (container.ports ?? []).filter(port => port.hostPort);
    for (const port of used) ports.add(String(port.hostPort));
    return used.length > 0;
  });
  if (names.length === 0) return undefined;
  const uses = `${plural('uses', 'use', names.length)} ${plural('hostPort', 'hostPorts', ports.size)}`;
  return { reason: 'hostPort', detail: `${containersText(names)} ${uses} ${[...ports].sort().join(', ')}` };
};

const probeHosts: PodCheck = ({ spec }) => {
  const hosts = new Set<string>();
  const names = namesWhere(spec, ({ livenessProbe, readinessProbe, startupProbe, lifecycle }) => {
    const handlers = [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop];
    const named = handlers.flatMap(each => [each?.httpGet?.host, each?.tcpSocket?.host]).filter(Boolean) as string[];
    for (const host of named) hosts.add(host);
    return named.length > 0;
  });
  if (names.length === 0) return undefined;
  const what = plural('probe or lifecycle host', 'probe or lifecycle hosts', hosts.size);
  const bad = [...new Set(names)].sort();
  const detail = `${containersText(bad)} ${plural('uses', 'use', bad.length)} ${what} ${sortedQuoted(hosts)}`;
  return { reason: 'probe or lifecycle host', detail };
};

const privileged: PodCheck = ({ spec }) => {
  const names = namesWhere(spec, ({ securityContext }) => securityContext?.privileged === true);
  if (names.length === 0) return undefined;
  return { reason: 'privileged', detail: `${containersText(names)} must not set securityContext.privileged=true` };
};

export const procMount: PodCheck = ({ spec }) => {
  const types: string[] = [];
  const names = namesWhere(spec, ({ securityContext }) => {
    const type = securityContext?.procMount;
    if (type === undefined || type === 'Default') return false;
    types.push(type);
    return true;
  });
  if (names.length === 0) return undefined;
  const what = `must not set securityContext.procMount to ${sortedQuoted(types)}`;
  return { reason: 'procMount', detail: `${containersText(names)} ${what}` };
};

function seLinux(allowed: ReadonlySet<string>): PodCheck {
  return ({ spec }) => {
    const types = new Set<string>();
    const parts = new Set<string>();
    const bad = (options: SELinuxOptions | undefined): boolean => {
      if (!options) return false;
      const { type = '', user, role } = options;
      if (!allowed.has(type)) types.add(type);
      if (user) parts.add('user may not be set');
      if (role) parts.add('role may not be set');
      return !allowed.has(type) || Boolean(user) || Boolean(role);
    };
    const podIsBad = bad(spec.securityContext?.seLinuxOptions);
    const names = namesWhere(spec, ({ securityContext }) => bad(securityContext?.seLinuxOptions));
    if (!podIsBad && names.length === 0) return undefined;
    const data = [
      ...(types.size > 0 ? [`${plural('type', 'types', types.size)} ${sortedQuoted(types)}`] : []),
      ...['user may not be set', 'role may not be set'].filter(part => parts.has(part)),
    ];
    const what = `set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`;
    return { reason: 'seLinuxOptions', detail: `${settersText(podIsBad, names)} ${what}` };
  };
}

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t'];

export function validSeccomp(type: string | undefined): boolean {
  return type === 'Localhost' || type === 'RuntimeDefault';
}

const seccompAnnotations: PodCheck = ({ metadata, spec }) => {
  const keys = [
    'seccomp.security.alpha.kubernetes.io/pod',
    ...allContainers(spec).map(({ name }) => `container.seccomp.security.alpha.kubernetes.io/${name}`),
  ];
  const forbidden = new Set<string>();
  for (const key of keys) {
    const value = metadata.annotations?.[key];
    if (value === undefined || value === 'runtime/default' || value === 'docker/default') continue;
    if (!value.startsWith('localhost/')) forbidden.add(`${key}=${goQuote(value)}`);
  }
  if (forbidden.size === 0) return undefined;
  const what = `forbidden ${plural('annotation', 'annotations', forbidden.size)}`;
  return { reason: 'seccompProfile', detail: `${what} ${[...forbidden].sort().join(', ')}` };
};

/** Profiles that are set and must not be. */
export const seccompFields: PodCheck = ({ spec }) => {
  const values: string[] = [];
  const bad = (profile: { readonly type: string } | undefined): boolean => {
    if (!profile || validSeccomp(profile.type)) return false;
    values.push(profile.type);
    return true;
  };
  const podIsBad = bad(spec.securityContext?.seccompProfile);
  const names = namesWhere(spec, ({ securityContext }) => bad(securityContext?.seccompProfile));
  if (values.length === 0) return undefined;
  const what = `must not set securityContext.seccompProfile.type to ${sortedQuoted(values)}`;
  return { reason: 'seccompProfile', detail: `${settersText(podIsBad, names)} ${what}` };
};

function sysctls(allowed: ReadonlySet<string>): PodCheck {
  return ({ spec }) => {
    const bad = (spec.securityContext?.sysctls ?? []).map(each => each.name).filter(name => !allowed.has(name));
    return bad.length > 0 ? { reason: 'forbidden sysctls', detail: bad.join(', ') } : undefined;
  };
}

const sysctls0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
];
const sysctls27 = [...sysctls0, 'net.ipv4.ip_local_reserved_ports'];
const sysctls29 = [
  ...sysctls27,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const sysctls32 = [...sysctls29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const hostProcess: PodCheck = ({ spec }) => {
  const podIsBad = spec.securityContext?.windowsOptions?.hostProcess === true;
  const names = namesWhere(spec, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
  if (!podIsBad && names.length === 0) return undefined;
  const what = 'must not set securityContext.windowsOptions.hostProcess=true';
  return { reason: 'hostProcess', detail: `${settersText(podIsBad, names)} ${what}` };
};

const always = (check: PodCheck): Check['versions'] => [{ since: 0, check }];

export const baselineChecks: readonly Check[] = [
  { id: 'appArmorProfile', versions: always(appArmor) },
  { id: 'capabilities_baseline', versions: always(capabilities) },
  { id: 'hostNamespaces', versions: always(hostNamespaces) },
  { id: 'hostPathVolumes', versions: always(hostPathVolumes) },
  { id: 'hostPorts', versions: always(hostPorts) },
  { id: 'hostProbesAndHostLifecycle', versions: [{ since: 34, check: probeHosts }] },
  { id: 'privileged', versions: always(privileged) },
  { id: 'procMount', versions: [...always(procMount), { since: 35, check: unlessUserNamespace(procMount) }] },
  {
    id: 'seLinuxOptions',
    versions: [
      ...always(seLinux(new Set(seLinuxTypes))),
      { since: 31, check: seLinux(new Set([...seLinuxTypes, 'container_engine_t'])) },
    ],
  },
  { id: 'seccompProfile_baseline', versions: [...always(seccompAnnotations), { since: 19, check: seccompFields }] },
  {
    id: 'sysctls',
    versions: [
      ...always(sysctls(new Set(sysctls0))),
      { since: 27, check: sysctls(new Set(sysctls27)) },
      { since: 29, check: sysctls(new Set(sysctls29)) },
      { since: 32, check: sysctls(new Set(sysctls32)) },
    ],
  },
  { id: 'windowsHostProcess', versions: always(hostProcess) },
];
