/** Environments of containers. Upstream: pkg/apis/core/validation (ValidateEnv, ValidateEnvFrom). */
import { type FieldPath, invalidValue, isConfigMapKey, isRelaxedEnvVarName, nameIsDNSSubdomain } from '#apimachinery';
import type { EnvFromSource, EnvVar, FileKeySelector } from '../types.ts';
import { checkDNSLabel, checkNoBacksteps, type Errors, refuseEach, requireText } from './common.ts';
import { checkObjectField, checkResourceField, envFields } from './field-references.ts';

function checkKeySelector(
  errors: Errors,
  path: FieldPath,
  selector: { readonly name?: string; readonly key?: string },
): void {
  const name = selector.name ?? '';
  refuseEach(errors, path.child('name'), name, nameIsDNSSubdomain(name, false));
  if (requireText(errors, path.child('key'), selector.key)) {
    refuseEach(errors, path.child('key'), selector.key, isConfigMapKey(selector.key));
  }
}

function checkFileKey(errors: Errors, path: FieldPath, selector: FileKeySelector): void {
  if (requireText(errors, path.child('key'), selector.key)) {
    refuseEach(errors, path.child('key'), selector.key, isRelaxedEnvVarName(selector.key));
  }
  if (requireText(errors, path.child('volumeName'), selector.volumeName)) {
    checkDNSLabel(errors, path.child('volumeName'), selector.volumeName);
  }
  if (requireText(errors, path.child('path'), selector.path)) {
    checkNoBacksteps(errors, path.child('path'), selector.path);
  }
}

function checkValueFrom(errors: Errors, path: FieldPath, variable: EnvVar): void {
  const from = variable.valueFrom;
  if (!from) return;
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = from;
  if (fieldRef) checkObjectField(errors, path.child('fieldRef'), fieldRef, envFields);
  if (resourceFieldRef) checkResourceField(errors, path.child('resourceFieldRef'), resourceFieldRef, false);
  if (configMapKeyRef) checkKeySelector(errors, path.child('configMapKeyRef'), configMapKeyRef);
  if (secretKeyRef) checkKeySelector(errors, path.child('secretKeyRef'), secretKeyRef);
  if (fileKeyRef) checkFileKey(errors, path.child('fileKeyRef'), fileKeyRef);
  const sources = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef];
  const count = sources.filter(source => source !== undefined).length;
  const kinds = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
  if (count === 0) errors.push(invalidValue(path, '', `must specify one of: ${kinds}`));
  else if (variable.value) errors.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  else if (count > 1) errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
}

export function checkEnv(errors: Errors, path: FieldPath, variables: readonly EnvVar[] = []): void {
  variables.forEach((variable, i) => {
    const at = path.index(i);
    if (requireText(errors, at.child('name'), variable.name)) {
      refuseEach(errors, at.child('name'), variable.name, isRelaxedEnvVarName(variable.name));
    }
    checkValueFrom(errors, at.child('valueFrom'), variable);
  });
}

export function checkEnvFrom(errors: Errors, path: FieldPath, sources: readonly EnvFromSource[] = []): void {
  sources.forEach((source, i) => {
    const at = path.index(i);
    if (source.prefix) refuseEach(errors, at.child('prefix'), source.prefix, isRelaxedEnvVarName(source.prefix));
    let count = 0;
    for (const field of ['configMapRef', 'secretRef'] as const) {
      const reference = source[field];
      if (!reference) continue;
      count++;
      const namePath = at.child(field, 'name');
      if (requireText(errors, namePath, reference.name)) {
        refuseEach(errors, namePath, reference.name, nameIsDNSSubdomain(reference.name, true));
      }
    }
    if (count === 0) errors.push(invalidValue(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (count > 1) errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  });
}
