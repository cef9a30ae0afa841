/** Endpoints. Upstream: pkg/apis/core/{v1/defaults.go,validation}, pkg/registry/core/endpoint/strategy.go. */
import {
  append,
  type FieldError,
  FieldPath,
  isValidIPForLegacyField,
  isValidPortNum,
  required,
  semanticEqual,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../../../types.ts';
import {
  checkChoice,
  checkDNSLabel,
  checkObjectName,
  checkQualifiedName,
  type Errors,
  refuseEach,
} from '../../../validation/common.ts';
import { checkEndpointIP } from '../../../validation/endpoint-ip.ts';

const protocols = ['SCTP', 'TCP', 'UDP'];

function checkAddress(errors: Errors, path: FieldPath, address: EndpointAddress): void {
  append(errors, isValidIPForLegacyField(path.child('ip'), address.ip ?? ''));
  if (address.hostname) checkDNSLabel(errors, path.child('hostname'), address.hostname);
  if (address.nodeName !== undefined) checkObjectName(errors, path.child('nodeName'), address.nodeName);
  checkEndpointIP(errors, path.child('ip'), address.ip ?? '');
}

function checkPort(errors: Errors, path: FieldPath, port: EndpointPort, requireName: boolean): void {
  if (port.name) checkDNSLabel(errors, path.child('name'), port.name);
  else if (requireName) errors.push(required(path.child('name')));
  refuseEach(errors, path.child('port'), port.port ?? 0, isValidPortNum(port.port ?? 0));
  checkChoice(errors, path.child('protocol'), port.protocol, protocols);
  if (port.appProtocol !== undefined) checkQualifiedName(errors, path.child('appProtocol'), port.appProtocol);
}

function checkSubset(errors: Errors, path: FieldPath, subset: EndpointSubset): void {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length + notReadyAddresses.length === 0) {
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  }
  addresses.forEach((address, i) => {
    checkAddress(errors, path.child('addresses').index(i), address);
  });
  notReadyAddresses.forEach((address, i) => {
    checkAddress(errors, path.child('notReadyAddresses').index(i), address);
  });
  ports.forEach((port, i) => {
    checkPort(errors, path.child('ports').index(i), port, ports.length > 1);
  });
}

function validate(endpoints: Endpoints, old: Endpoints | null): FieldError[] {
  const errors: Errors = [];
  endpoints.subsets?.forEach((subset, i) => {
    checkSubset(errors, FieldPath.of('subsets').index(i), subset);
  });
  // What was stored so may stay.
  return old && semanticEqual(old.subsets, endpoints.subsets) ? [] : errors;
}

export const endpointsRules: KindRules<Endpoints> = {
  defaults({ subsets }) {
    for (const subset of subsets ?? [])
      for (const port of subset.ports ?? []) if (!port.protocol) port.protocol = 'TCP';
  },
  validate,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
