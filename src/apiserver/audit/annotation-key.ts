/** Keys of annotations that admission gives. Upstream: apiserver pkg/admission/attributes.go checkKeyFormat. */
import { isLabelKey } from '#apimachinery';

/** `PREFIX/NAME`, the prefix a DNS subdomain; what has another form is left out of the event. */
export function isAnnotationKey(key: string): boolean {
  return key.includes('/') && isLabelKey(key).length === 0;
}
