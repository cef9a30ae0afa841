/** NetworkPolicies. Upstream: pkg/apis/networking/{v1/defaults.go,validation}, pkg/registry/networking/networkpolicy. */
import {
  append,
  type Cidr,
  equalValues,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  isIPv4,
  isValidCIDRForLegacyField,
  isValidPortName,
  isValidPortNum,
  maskIp,
  notSupported,
  parseCidr,
  required,
  validateLabelSelector,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../../types.ts';
import { type Errors, refuseEach } from '../../../validation/common.ts';

interface Options {
  readonly allowInvalidLabelValueInSelector: boolean;
  readonly knownRanges: readonly string[];
}

function checkPort(errors: Errors, path: FieldPath, port: NetworkPolicyPort): void {
  const { protocol, port: target, endPort: end } = port;
  const protocols = ['TCP', 'UDP', 'SCTP'];
  if (protocol !== undefined && !protocols.includes(protocol)) {
    errors.push(notSupported(path.child('protocol'), protocol, protocols));
  }
  const endPath = path.child('endPort');
  if (typeof target === 'number') {
    refuseEach(errors, path.child('port'), target, isValidPortNum(target));
    if (end === undefined) return;
    if (end < target) errors.push(invalidValue(endPath, target, 'must be greater than or equal to `port`'));
    refuseEach(errors, endPath, end, isValidPortNum(end));
  } else if (target !== undefined) {
    if (end !== undefined) errors.push(invalidValue(endPath, end, 'may not be specified when `port` is non-numeric'));
    refuseEach(errors, path.child('port'), target, isValidPortName(target));
  } else if (end !== undefined) {
    errors.push(invalidValue(endPath, end, 'may not be specified when `port` is not specified'));
  }
}

function contains(outer: Cidr, inner: Cidr): boolean {
  if (isIPv4(outer.address) !== isIPv4(inner.address)) return false;
  const a = maskIp(outer).bytes;
  const b = maskIp({ ...inner, prefix: outer.prefix }).bytes;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function checkBlock(errors: Errors, path: FieldPath, block: IPBlock, options: Options): void {
  const { cidr = '' } = block;
  const at = path.child('cidr');
  if (!cidr) {
    errors.push(required(at));
    return;
  }
  append(errors, isValidCIDRForLegacyField(at, cidr, options.knownRanges));
  const whole = parseCidr(cidr);
  if (!whole) return;
  block.except?.forEach((text, i) => {
    const exceptPath = path.child('except').index(i);
    append(errors, isValidCIDRForLegacyField(exceptPath, text, options.knownRanges));
    const part = parseCidr(text);
    if (!part || (contains(whole, part) && whole.prefix < part.prefix)) return;
    errors.push(invalidValue(exceptPath, text, 'must be a strict subset of `cidr`'));
  });
}

function checkPeer(errors: Errors, path: FieldPath, peer: NetworkPolicyPeer, options: Options): void {
  let count = 0;
  for (const name of ['podSelector', 'namespaceSelector'] as const) {
    if (!peer[name]) continue;
    count++;
    append(errors, validateLabelSelector(peer[name], path.child(name), options));
  }
  if (peer.ipBlock) {
    count++;
    checkBlock(errors, path.child('ipBlock'), peer.ipBlock, options);
  }
  if (count === 0) errors.push(required(path, 'must specify a peer'));
  else if (count > 1 && peer.ipBlock) {
    errors.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  }
}

function rangesOf(policy: NetworkPolicy): string[] {
  const peers = [
    ...(policy.spec?.ingress ?? []).flatMap(rule => rule.from ?? []),
    ...(policy.spec?.egress ?? []).flatMap(rule => rule.to ?? []),
  ];
  return peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : []));
}

function validate(policy: NetworkPolicy, old: NetworkPolicy | null): FieldError[] {
  const errors: Errors = [];
  const path = FieldPath.of('spec');
  const spec = policy.spec ?? {};
  const options: Options = {
    allowInvalidLabelValueInSelector: validateLabelSelector(old?.spec?.podSelector, FieldPath.root).length > 0,
    knownRanges: old ? rangesOf(old) : [],
  };
  append(errors, validateLabelSelector(spec.podSelector, path.child('podSelector'), options));
  const check = (
    at: FieldPath,
    ports: readonly NetworkPolicyPort[] = [],
    side: string,
    peers: readonly NetworkPolicyPeer[] = [],
  ): void => {
    ports.forEach((port, i) => {
      checkPort(errors, at.child('ports').index(i), port);
    });
    peers.forEach((peer, i) => {
      checkPeer(errors, at.child(side).index(i), peer, options);
    });
  };
  spec.ingress?.forEach((rule, i) => check(path.child('ingress').index(i), rule.ports, 'from', rule.from));
  spec.egress?.forEach((rule, i) => check(path.child('egress').index(i), rule.ports, 'to', rule.to));
  const types = spec.policyTypes ?? [];
  const at = path.child('policyTypes');
  if (types.length > 2) {
    errors.push(invalidValue(at, types, 'may not specify more than two policyTypes'));
    return errors;
  }
  types.forEach((type, i) => {
    if (type !== 'Ingress' && type !== 'Egress') errors.push(notSupported(at.index(i), type, ['Ingress', 'Egress']));
  });
  return errors;
}

export const networkPolicyRules: KindRules<NetworkPolicy> = {
  defaults({ spec }) {
    if (!spec) return;
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
    }
    if (spec.policyTypes?.length) return;
    spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  validate,
  generation: {
    changed: ({ spec }, { spec: before }) =>
      !equalValues(
        { ...spec, podSelector: spec?.podSelector ?? {} },
        { ...before, podSelector: before?.podSelector ?? {} },
      ),
    exact: true,
  },
  allowUnconditionalUpdate: true,
};
