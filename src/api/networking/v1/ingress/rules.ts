/** Ingresses. Upstream: pkg/apis/networking/validation, pkg/registry/networking/ingress/strategy.go. */
import {
  append,
  type FieldError,
  FieldPath,
  invalidValue,
  isDNS1123Subdomain,
  isPathSegmentName,
  isValidIPForLegacyField,
  isValidPortName,
  isValidPortNum,
  isWildcardDNS1123Subdomain,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  notSupported,
  parseIp,
  required,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressRule,
  IngressTLS,
  TypedLocalObjectReference,
} from '../../../types.ts';
import { type Errors, refuseEach, requireText } from '../../../validation/common.ts';

const path = FieldPath.of('spec');
const classAnnotation = 'kubernetes.io/ingress.class';
const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badSuffixes = ['/..', '/.'];

function checkReference(errors: Errors, at: FieldPath, reference: TypedLocalObjectReference): void {
  const { apiGroup } = reference;
  if (apiGroup !== undefined) refuseEach(errors, at.child('apiGroup'), apiGroup, isDNS1123Subdomain(apiGroup));
  for (const name of ['kind', 'name'] as const) {
    const value = reference[name];
    if (requireText(errors, at.child(name), value)) refuseEach(errors, at.child(name), value, isPathSegmentName(value));
  }
}

function checkBackend(errors: Errors, at: FieldPath, backend: IngressBackend): void {
  const { service, resource } = backend;
  if (service && resource) {
    errors.push(invalidValue(at, '', 'cannot set both resource and service backends'));
  } else if (resource) checkReference(errors, at.child('resource'), resource);
  else if (service) {
    const own = at.child('service');
    if (requireText(errors, own.child('name'), service.name)) {
      refuseEach(errors, own.child('name'), service.name, nameIsDNSLabel(service.name, false));
    }
    const { name = '', number = 0 } = service.port ?? {};
    if (name && number) errors.push(invalidValue(at, '', 'cannot set both port name & port number'));
    else if (name) refuseEach(errors, own.child('port', 'name'), name, isValidPortName(name));
    else if (number) refuseEach(errors, own.child('port', 'number'), number, isValidPortNum(number));
    else errors.push(required(at, 'port name or number is required'));
  } else errors.push(invalidValue(at, '', 'resource or service backend is required'));
}

function checkPath(errors: Errors, at: FieldPath, rule: HTTPIngressPath): void {
  const { path: target = '', pathType } = rule;
  const own = at.child('path');
  const absolute = 'must be an absolute path';
  if (pathType === undefined) {
    errors.push(required(at.child('pathType'), 'pathType must be specified'));
    return;
  }
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!target.startsWith('/')) errors.push(invalidValue(own, target, absolute));
    for (const bad of badSequences) {
      if (target.includes(bad)) errors.push(invalidValue(own, target, `must not contain '${bad}'`));
    }
    for (const bad of badSuffixes) {
      if (target.endsWith(bad)) errors.push(invalidValue(own, target, `cannot end with '${bad}'`));
    }
  } else if (pathType === 'ImplementationSpecific') {
    if (target && !target.startsWith('/')) errors.push(invalidValue(own, target, absolute));
  } else {
    const types = ['Exact', 'ImplementationSpecific', 'Prefix'];
    errors.push(notSupported(at.child('pathType'), pathType, types));
  }
  checkBackend(errors, at.child('backend'), rule.backend ?? {});
}

function checkValue(errors: Errors, at: FieldPath, { http }: IngressRule): void {
  if (!http) return;
  const paths = http.paths ?? [];
  const own = at.child('http', 'paths');
  if (paths.length === 0) errors.push(required(own));
  paths.forEach((each, i) => {
    checkPath(errors, own.index(i), each);
  });
}

const hostRefusals = (host: string): string[] =>
  host.includes('*') ? isWildcardDNS1123Subdomain(host) : isDNS1123Subdomain(host);

function checkRules(errors: Errors, rules: readonly IngressRule[], allowInvalidWildcard: boolean): void {
  rules.forEach((rule, i) => {
    const at = path.child('rules').index(i);
    const { host = '' } = rule;
    if (host) {
      const text = 'must be a DNS name, not an IP address';
      if (parseIp(host)) errors.push(invalidValue(at.child('host'), host, text));
      refuseEach(errors, at.child('host'), host, hostRefusals(host));
    }
    if (!host.includes('*') || !allowInvalidWildcard) checkValue(errors, at, rule);
  });
}

const secretRefusals = (name: string): string[] => (name === '' ? [] : nameIsDNSSubdomain(name, false));

function checkTLS(errors: Errors, list: readonly IngressTLS[], allowInvalidSecret: boolean): void {
  list.forEach((tls, i) => {
    const at = path.child('tls').index(i);
    tls.hosts?.forEach((host, j) => {
      refuseEach(errors, at.child('hosts').index(j), host, hostRefusals(host));
    });
    const { secretName = '' } = tls;
    if (!allowInvalidSecret) refuseEach(errors, at.child('secretName'), secretName, secretRefusals(secretName));
  });
}

function hasInvalidWildcard(old: Ingress | null): boolean {
  return (old?.spec?.rules ?? []).some(rule => {
    const errors: Errors = [];
    if (rule.host?.includes('*')) checkValue(errors, path, rule);
    return errors.length > 0;
  });
}

function validate(ingress: Ingress, old: Ingress | null): FieldError[] {
  const errors: Errors = [];
  const spec = ingress.spec ?? {};
  const { rules = [], tls = [], defaultBackend, ingressClassName } = spec;
  if (rules.length === 0 && !defaultBackend) {
    const text = 'either `defaultBackend` or `rules` must be specified';
    errors.push(invalidValue(path, spec.rules ?? null, text));
  }
  if (defaultBackend) checkBackend(errors, path.child('defaultBackend'), defaultBackend);
  checkRules(errors, rules, hasInvalidWildcard(old));
  const lenient = (old?.spec?.tls ?? []).some(each => secretRefusals(each.secretName ?? '').length > 0);
  checkTLS(errors, tls, lenient);
  if (ingressClassName !== undefined) {
    const texts = nameIsDNSSubdomain(ingressClassName, false);
    refuseEach(errors, path.child('ingressClassName'), ingressClassName, texts);
  }
  const annotation = ingress.metadata.annotations?.[classAnnotation];
  const both = annotation !== undefined && ingressClassName !== undefined;
  if (!old && both && annotation !== ingressClassName) {
    const text = 'must match `ingressClassName` when both are specified';
    errors.push(invalidValue(FieldPath.of('annotations', classAnnotation), annotation, text));
  }
  return errors;
}

export const ingressRules: KindRules<Ingress> = {
  validate,
  validateStatus({ status }, old) {
    const errors: Errors = [];
    const known = (old.status?.loadBalancer?.ingress ?? []).map(each => each.ip ?? '').filter(ip => ip !== '');
    status?.loadBalancer?.ingress?.forEach(({ ip = '', hostname = '' }, i) => {
      const at = FieldPath.of('status', 'loadBalancer', 'ingress').index(i);
      if (ip) append(errors, isValidIPForLegacyField(at.child('ip'), ip, known));
      if (!hostname) return;
      refuseEach(errors, at.child('hostname'), hostname, isDNS1123Subdomain(hostname));
      const text = 'must be a DNS name, not an IP address';
      if (parseIp(hostname)) errors.push(invalidValue(at.child('hostname'), hostname, text));
    });
    return errors;
  },
  generation: true,
  allowUnconditionalUpdate: true,
};
