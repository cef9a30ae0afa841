/** Labels of nodes that have newer names, wherever they are selected. Upstream: pkg/api/node/util.go. */
import { type FieldPath, isLabelValue, type LabelSelector } from '#apimachinery';
import type { NodeSelectorTerm } from '../types.ts';
import { sortedKeys } from '../validation/common.ts';

const deprecated: ReadonlyMap<string, string> = new Map([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/region', 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['beta.kubernetes.io/instance-type', 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
]);

/** What is to be said of a label; undefined for those in use. */
export function nodeLabelWarning(label: string | undefined): string | undefined {
  return deprecated.get(label ?? '');
}

/** Of a map of labels, in the order of their keys (upstream: a map's, which is chance). */
export function labelMapWarnings(
  labels: Readonly<Record<string, string>> | undefined,
  say: (label: string, text: string) => string,
): string[] {
  return sortedKeys(labels).flatMap(label => {
    const text = nodeLabelWarning(label);
    return text === undefined ? [] : [say(label, text)];
  });
}

function keyWarning(path: FieldPath, key: string | undefined): string[] {
  const text = nodeLabelWarning(key);
  return text === undefined ? [] : [`${path.child('key')}: ${key} is ${text}`];
}

export function labelSelectorWarnings(path: FieldPath, selector: LabelSelector | undefined): string[] {
  return [
    ...(selector?.matchExpressions ?? []).flatMap((each, i) =>
      keyWarning(path.child('matchExpressions').index(i), each.key),
    ),
    ...labelMapWarnings(selector?.matchLabels, (label, text) => `${path.child('matchLabels').child(label)}: ${text}`),
  ];
}

/** `checksValues`: a preference, whose values are not validated, is told what is wrong with them. */
export function selectorTermWarnings(path: FieldPath, term: NodeSelectorTerm, checksValues: boolean): string[] {
  return (term.matchExpressions ?? []).flatMap((expression, i) => {
    const at = path.child('matchExpressions').index(i);
    const wrong = (expression.values ?? []).flatMap((value, j) =>
      isLabelValue(value).map(text => `${at.child('values').index(j)}: ${value} is invalid, ${text}`),
    );
    return [...keyWarning(at, expression.key), ...(checksValues ? wrong : [])];
  });
}
